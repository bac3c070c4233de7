/* SPDX-License-Identifier: MIT */
/* handler: answers one request. Called by many threads at once. */
#pragma once

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Writes the answer and a zero, at most `size` bytes; returns the answer's length without the zero. */
size_t handle(const char* request, char* answer, size_t size);

#ifdef __cplusplus
}
#endif
