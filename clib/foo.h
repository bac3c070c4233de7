/* SPDX-License-Identifier: MIT */
/* foo: the contract between the demo and the C library that is being edited. */
#ifndef CLIB_FOO_H
#define CLIB_FOO_H

#include <stdint.h>

#if defined(__GNUC__)
#define FOO_API __attribute__((visibility("default")))
#else
#define FOO_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Must be there: the demo refuses a library without it. */
FOO_API int32_t foo(void);

/* May be there. */
FOO_API int32_t bar(void);

#ifdef __cplusplus
}
#endif

#endif
