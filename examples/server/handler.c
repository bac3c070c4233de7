/* SPDX-License-Identifier: MIT */
/* handler: the library under development. */
#include "handler.h"

#include <stdio.h>

size_t handle(const char* request, char* answer, size_t size) {
  const int length = snprintf(answer, size, "hello, %s", request);
  return (size_t)length < size ? (size_t)length : size - 1;
}
