/* SPDX-License-Identifier: MIT */
/* lib: the library under development. Edit it while the demo runs, then: ninja -C build clib/libfoo.so */
#include "foo.h"

int32_t foo(void) { return 4; }

// int32_t bar(void) { return 10; }
