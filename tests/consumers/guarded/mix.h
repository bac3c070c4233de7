/* SPDX-License-Identifier: MIT */
/* mix: two sounds in one. */
#pragma once

#ifdef __cplusplus
extern "C" {
#endif

typedef int sample;

sample mix(sample left, sample right);

#ifdef __cplusplus
}
#endif
