/* SPDX-License-Identifier: MIT */
/* shout: says a word aloud. */
#pragma once

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Writes the word, said aloud, into `out`, and a zero; returns its length, which may be more than fits. */
size_t shout(const char* word, char* out, size_t size);

#ifdef __cplusplus
}
#endif
