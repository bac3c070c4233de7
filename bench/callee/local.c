/* SPDX-License-Identifier: MIT */
/* local: a function of the program itself that does the callee's work, in a file of its own so that nothing inlines it.
 */
#include <stdint.h>

int32_t local_step(int32_t x);

int32_t local_step(int32_t x) { return x + 1; }
