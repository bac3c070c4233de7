// SPDX-License-Identifier: MIT
// dependent: needs a library that no search path leads to, and exits as soon as it is loaded.
#include <stdlib.h>

int answer(void);

__attribute__((constructor)) static void begin(void) { exit(7 + answer()); }
