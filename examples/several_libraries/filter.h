/* SPDX-License-Identifier: MIT */
/* filter: what every filter library has. */
#pragma once

#ifdef __cplusplus
extern "C" {
#endif

extern const char filter_name[];
/* Changes the text in its place. */
void filter_apply(char* text);
/* May be there: undoes filter_apply. */
void filter_undo(char* text);

#ifdef __cplusplus
}
#endif
