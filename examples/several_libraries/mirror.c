/* SPDX-License-Identifier: MIT */
/* mirror: a filter that turns the text round. */
#include "filter.h"

#include <string.h>

const char filter_name[] = "mirror";

void filter_apply(char* text) {
  const size_t length = strlen(text);
  for (size_t i = 0; i < length / 2; ++i) {
    const char kept = text[i];
    text[i] = text[length - 1 - i];
    text[length - 1 - i] = kept;
  }
}
