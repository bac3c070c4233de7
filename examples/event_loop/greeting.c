/* SPDX-License-Identifier: MIT */
/* greeting: the library under development. */
#include "greeting.h"

#include <stdio.h>

const char* greet(const char* name) {
  static char answer[256];
  snprintf(answer, sizeof answer, "Good morning, %s.", name);
  return answer;
}
