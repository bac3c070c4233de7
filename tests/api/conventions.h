/* SPDX-License-Identifier: MIT */
/* conventions: functions that are called in other ways than the platform's. */
#ifndef CONVENTIONS_H
#define CONVENTIONS_H

#include <stdarg.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__x86_64__)
__attribute__((ms_abi)) double by_ms_abi(int a, double b, const char* c, long d);
__attribute__((ms_abi)) int absent_by_ms_abi(int a, int b);
#if defined(__clang__)
__attribute__((regcall)) double by_regcall(int a, double b, const char* c, long d);
__attribute__((preserve_most)) double by_preserve_most(int a, double b, const char* c, long d);
__attribute__((vectorcall)) int absent_by_vectorcall(int a, int b);
__attribute__((regcall)) int absent_by_regcall(int a, int b);
#endif
#endif
__attribute__((noreturn)) void leave(int status);
int print(char* into, const char* format, va_list arguments);

#ifdef __cplusplus
}
#endif
#endif
