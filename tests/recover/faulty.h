/* SPDX-License-Identifier: MIT */
/* faulty: the API of a library that crashes and hangs in many ways. */
#ifndef TESTS_RECOVER_FAULTY_H
#define TESTS_RECOVER_FAULTY_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct wide {
  double numbers[5];
};

uint64_t faulty_stamp(void);
int faulty_add(int one, int other);
double faulty_mixed(int one, double two, struct wide three, const char* four);
struct wide faulty_wide(double of);
int faulty_sum(int count, ...);
void faulty_nothing(void);

int faulty_write_null(int value);
int faulty_far_address(void);
int faulty_divide(int value);
int faulty_undefined(int value);
int faulty_trap(int value);
int faulty_past_the_file(const char* end);
int faulty_gives_up(int value);
int faulty_asserts(int value);
int faulty_recurses(int depth);
int faulty_measures_null(void);
size_t faulty_copies(void* to, const void* from, size_t size);
int faulty_calls_null(void);
int faulty_in_malloc(void);
int faulty_in_stdio(void);
int faulty_raises(int number);
int faulty_spoils_the_state(void);

int faulty_calls_back(int (*callback)(void*), void* argument);
int faulty_crashes_after(int (*callback)(void*), void* argument);
int faulty_loops(int value);
int faulty_sleeps(unsigned seconds);
int faulty_waits_for(const volatile int* flag);

/* Crashes, hangs or overflows the stack by its stamp, or returns that. */
uint64_t faulty_by_stamp(void);

uint64_t faulty_extra(void);

#ifdef __cplusplus
}
#endif

#endif
