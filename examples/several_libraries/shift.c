/* SPDX-License-Identifier: MIT */
/* shift: a filter that moves each letter on in the alphabet. */
#include "filter.h"

const char filter_name[] = "shift";

static void shift_by(char* text, int places) {
  for (; *text != '\0'; ++text) {
    if (*text >= 'a' && *text <= 'z') *text = (char)('a' + (*text - 'a' + places + 26) % 26);
  }
}

void filter_apply(char* text) { shift_by(text, 1); }

void filter_undo(char* text) { shift_by(text, -1); }
