/* SPDX-License-Identifier: MIT */
/* conventions: see conventions.h; the `absent_` ones are left out. */
#include "conventions.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SUM (a + b + (double)strlen(c) - 2 + (double)d)

#if defined(__x86_64__)
__attribute__((ms_abi)) double by_ms_abi(int a, double b, const char* c, long d) { return SUM; }
#if defined(__clang__)
__attribute__((regcall)) double by_regcall(int a, double b, const char* c, long d) { return SUM; }
__attribute__((preserve_most)) double by_preserve_most(int a, double b, const char* c, long d) { return SUM; }
#endif
#endif
void leave(int status) { exit(status); }
int print(char* into, const char* format, va_list arguments) { return vsprintf(into, format, arguments); }
