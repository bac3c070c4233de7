/* SPDX-License-Identifier: MIT */
/* handed: the API of the libraries that hand their state over. */
#ifndef TESTS_ENGINE_HANDED_H
#define TESTS_ENGINE_HANDED_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What the tests write over the mark in each copy of a library. */
uint64_t handed_stamp(void);

/* The state: a number. */
uint64_t handed_total(void);
void handed_set_total(uint64_t number);
/* Adds one to it. @return the sum */
uint64_t handed_add(void);

/* Calls the host from inside the library. @return the stamp, read after that */
uint64_t handed_visit(void (*host)(void*), void* argument);

#ifdef __cplusplus
}
#endif

#endif
