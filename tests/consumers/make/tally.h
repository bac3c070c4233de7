/* SPDX-License-Identifier: MIT */
/* tally: a sum over numbers. */
#pragma once

#ifdef __cplusplus
extern "C" {
#endif

extern const char* const tally_name;
long tally(const long* numbers, int count);

#ifdef __cplusplus
}
#endif
