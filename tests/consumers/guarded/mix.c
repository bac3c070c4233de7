/* SPDX-License-Identifier: MIT */
/* mix: the library under development. */
#include "mix.h"

sample mix(sample left, sample right) { return left + right; }
