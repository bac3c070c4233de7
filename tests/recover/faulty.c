/* SPDX-License-Identifier: MIT */
/* faulty: a library that crashes and hangs in many ways. The test finds a line by the name in its comment `at: name`.
 */
#include "faulty.h"

#include <assert.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The tests write a number behind the mark. */
__attribute__((used)) static const volatile struct {
  char mark[32];
  uint64_t number;
} stamp = {"the stamp of this build:", 0};

static volatile int* volatile nowhere;
static const char* volatile no_text;
static void (*volatile no_function)(void);
static volatile int zero;
static volatile int one = 1;

uint64_t faulty_stamp(void) { return stamp.number; }
int faulty_add(int first, int other) { return first + other; }
double faulty_mixed(int first, double two, struct wide three, const char* four) {
  return first + two + three.numbers[4] + (double)strlen(four);
}
struct wide faulty_wide(double of) {
  struct wide made = {{of, of, of, of, of}};
  return made;
}
int faulty_sum(int count, ...) {
  va_list list;
  int sum = 0;
  va_start(list, count);
  for (int i = 0; i < count; ++i) sum += va_arg(list, int);
  va_end(list);
  return sum;
}
void faulty_nothing(void) {}

__attribute__((noinline)) static int hidden_writer(int value) {
  *nowhere = value; /* at: hidden_writer */
  return value + 1;
}
int faulty_write_null(int value) { return hidden_writer(value + 1) + 1; }

int faulty_far_address(void) {
  nowhere = (volatile int*)0x8000000000000000;
  *nowhere = 1; /* at: far_address */
  return 1;
}
int faulty_divide(int value) { return value / zero; /* at: divide */ }
int faulty_undefined(int value) {
  if (value != 0) __builtin_trap(); /* at: undefined */
  return value;
}
int faulty_trap(int value) {
#if defined(__x86_64__)
  __asm__ volatile("int3"); /* at: trap */
#else
  __asm__ volatile("brk #0"); /* at: break */
#endif
  return value + zero;
}
int faulty_past_the_file(const char* end) { return *(const volatile char*)end; /* at: past_the_file */ }
int faulty_gives_up(int value) {
  if (value != 0) abort(); /* at: gives_up */
  return 1;
}
int faulty_asserts(int value) {
  assert(value == zero); /* at: asserts */
  return 1;
}
int faulty_recurses(int depth) {
  volatile char room[256];
  room[0] = (char)depth;
  return depth == -1 ? 0 : faulty_recurses(depth + 1) + room[0];
}
int faulty_measures_null(void) { return (int)strlen(no_text) + 1; /* at: measures_null */ }
size_t faulty_copies(void* to, const void* from, size_t size) {
  memcpy(to, from, size); /* at: copies */
  return size;
}
int faulty_calls_null(void) {
  no_function(); /* at: calls_null */
  return 1;
}
int faulty_in_malloc(void) {
  char* volatile block = malloc(100);
  free(block);
  free(block);
  return 1;
}
int faulty_in_stdio(void) { return printf("%s", (const char*)(uintptr_t)(unsigned)(one + 7)); }
int faulty_raises(int number) { return raise(number); /* at: raises */ }

/* What a function has to give back as it was, or the caller's code is lost. */
int faulty_spoils_the_state(void) {
#if defined(__x86_64__)
  const unsigned round_up_and_flush = 0x5f80 | 0x8000;
  __asm__ volatile(
      "ldmxcsr %0\n fld1\n fld1\n fld1\n std\n"
      "xor %%ebx, %%ebx\n xor %%r12d, %%r12d\n xor %%r13d, %%r13d\n xor %%r14d, %%r14d\n"
      "xor %%r15d, %%r15d\n ud2\n"
      :
      : "m"(round_up_and_flush)
      : "rbx", "r12", "r13", "r14", "r15");
#else
  __builtin_trap();
#endif
  return 1;
}

int faulty_calls_back(int (*callback)(void*), void* argument) { return callback(argument) + one; /* at: calls_back */ }
int faulty_crashes_after(int (*callback)(void*), void* argument) {
  const int value = callback(argument);
  return hidden_writer(value) + one;
}
int faulty_loops(int value) {
  while (one == 1) value += zero; /* at: loops */
  return value;
}
int faulty_sleeps(unsigned seconds) { return (int)sleep(seconds); /* at: sleeps */ }
int faulty_waits_for(const volatile int* flag) {
  while (*flag == 0) continue; /* at: waits_for */
  return *flag;
}

uint64_t faulty_by_stamp(void) {
  if (stamp.number % 10 == 3) (void)hidden_writer(1);
  if (stamp.number % 10 == 5) (void)faulty_loops(1);
  if (stamp.number % 10 == 7) (void)faulty_recurses(1);
  return stamp.number;
}
