/* SPDX-License-Identifier: MIT */
/* greeting: answers a line of text. */
#pragma once

#ifdef __cplusplus
extern "C" {
#endif

/* The answer, in memory of the library's that the next call writes over. */
const char* greet(const char* name);

#ifdef __cplusplus
}
#endif
