/* SPDX-License-Identifier: MIT */
/* greeter: the library under development, as its own header tells. */
#ifndef GREETER_H
#define GREETER_H

#ifdef __cplusplus
extern "C" {
#endif

/* Writes a greeting of this number of guests into `out`, and a zero; no more than `size` bytes. */
void greet(int guests, char* out, unsigned long size);

#ifdef __cplusplus
}
#endif

#endif
