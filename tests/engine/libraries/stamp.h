/* SPDX-License-Identifier: MIT */
/* stamp: a number in the library's data that the tests overwrite in each copy of the file: they search for the mark. */
#ifndef TESTS_ENGINE_STAMP_H
#define TESTS_ENGINE_STAMP_H

#include <stdint.h>

static const volatile struct {
  char mark[32];
  uint64_t number;
} stamp = {"the stamp of this build:", 0};

#endif
