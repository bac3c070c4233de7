/* SPDX-License-Identifier: MIT */
/* garden: a world that lives in the library alone. The program knows nothing of what is in it. */
#ifndef GARDEN_H
#define GARDEN_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* One day more. */
void garden_step(void);
/* A picture of it, and what day it is, as text that ends. */
void garden_draw(char* into, size_t size);

#ifdef __cplusplus
}
#endif

#endif
