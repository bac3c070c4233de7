// SPDX-License-Identifier: MIT
// crasher: a library that crashes in many ways. The test finds a line by the name in its comment `at: name`.
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static volatile int* volatile nowhere;
static const char* volatile no_text;
static void (*volatile no_function)(void);
static volatile int zero;

__attribute__((noinline)) static int hidden_writer(int value) {
  *nowhere = value;  // at: hidden_writer
  return value + 1;
}

int write_null(int value) { return hidden_writer(value + 1) + 1; }

int measure_null(void) {
  return (int)strlen(no_text) + 1;  // at: measure_null
}

int call_null(void) {
  no_function();  // at: call_null
  return 1;
}

int divide(int value) {
  return value / zero;  // at: divide
}

int undefined(int value) {
#if defined(__x86_64__)
  if (value != 0) __asm__ volatile("ud2");  // at: undefined
#else
  if (value != 0) __asm__ volatile("udf #0");  // at: undefined
#endif
  return value;
}

int gives_up(int value) {
  if (value != 0) abort();  // at: gives_up
  return 1;
}

int recurses(int depth) {
  volatile char room[256];
  room[0] = (char)depth;
  return depth == -1 ? 0 : recurses(depth + 1) + room[0];
}

int raises_terminate(int value) {
  raise(SIGTERM);
  return value;
}

int calls_back(int (*callback)(void)) { return callback() + 1; }

int waits(void) {
  for (;;) pause();
}

int harmless(void) { return 1; }

const char* greeting(void) { return "hello"; }
