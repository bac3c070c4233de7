/* SPDX-License-Identifier: MIT */
/* curve: points of a curve. */
#pragma once

#ifdef __cplusplus
extern "C" {
#endif

struct point {
  double x, y;
};

struct point curve_at(double x);
/* Where the curve starts; a curve may have no start. */
struct point curve_start(void);

#ifdef __cplusplus
}
#endif
