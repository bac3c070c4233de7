/* SPDX-License-Identifier: MIT */
/* shout: the library under development. */
#include "shout.h"

#include <ctype.h>
#include <stdio.h>

size_t shout(const char* word, char* out, size_t size) {
  const int length = snprintf(out, size, "%s!", word);
  for (size_t i = 0; i < size && out[i] != '\0'; ++i) out[i] = (char)toupper((unsigned char)out[i]);
  return (size_t)length;
}
