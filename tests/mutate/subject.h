/* SPDX-License-Identifier: MIT
 * subject: the C library that is damaged on purpose, with a bit of everything that a loader must get right. */
#ifndef SUBJECT_H
#define SUBJECT_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SUBJECT_API __attribute__((visibility("default")))

extern SUBJECT_API const int subject_primes[8];                         /* read-only data */
SUBJECT_API int subject_sum(const int* values, size_t count);           /* code alone */
SUBJECT_API const char* subject_word(unsigned index);                   /* a table of pointers, relocated */
SUBJECT_API int subject_apply(unsigned operation, int left, int right); /* a table of functions */
SUBJECT_API int subject_switch(int value);                              /* a jump table */
SUBJECT_API int subject_count(void);                                    /* data that a constructor sets */
SUBJECT_API void subject_sort(int* values, size_t count);               /* a call into libc, which calls back */
SUBJECT_API int subject_text(char* buffer, size_t size, int number);    /* libc's printf */
SUBJECT_API int subject_per_thread(int add);                            /* thread-local data */
SUBJECT_API int subject_own_call(int value);                            /* a call to its own exported function */
SUBJECT_API void subject_farewell(int* said);                           /* a destructor writes 77 there */

#ifdef __cplusplus
}
#endif

#endif
