/* SPDX-License-Identifier: MIT
 * subject_bulk: makes the subject as large as libraries usually are. A host calls a few functions of a library; most of
 * its bytes belong to others, as here. */
#include <stdlib.h>
#include <string.h>

#include "subject.h"

#define MANY(name) SUBJECT_API long name(const unsigned char* text, size_t length, long start);

/* Each differs by its number, so that no linker folds two into one. */
#define ONE(n)                                                                   \
  MANY(subject_bulk_##n)                                                         \
  static const char* const words_##n[] = {"alpha-" #n, "beta-" #n, "gamma-" #n}; \
  static long total_##n = n;                                                     \
  long subject_bulk_##n(const unsigned char* text, size_t length, long start) {  \
    long value = start + n;                                                      \
    for (size_t i = 0; i != length; ++i) {                                       \
      switch ((text[i] + n) % 6) {                                               \
        case 0: value += text[i] * (n + 3); break;                               \
        case 1: value ^= (long)strlen(words_##n[text[i] % 3]); break;            \
        case 2: value -= (value >> 3) + n; break;                                \
        case 3: value = value * (2 * n + 1) + atoi(words_##n[value & 1]); break; \
        case 4: total_##n += value; break;                                       \
        default: value = labs(value) % (100 + n); break;                         \
      }                                                                          \
    }                                                                            \
    return value + total_##n;                                                    \
  }

#define TEN(n) ONE(n##0) ONE(n##1) ONE(n##2) ONE(n##3) ONE(n##4) ONE(n##5) ONE(n##6) ONE(n##7) ONE(n##8) ONE(n##9)

TEN(1) TEN(2) TEN(3) TEN(4) TEN(5) TEN(6) TEN(7) TEN(8) TEN(9) TEN(10) TEN(11) TEN(12) TEN(13) TEN(14) TEN(15)
