/* SPDX-License-Identifier: MIT
 * subject: see subject.h. Built with every compiler and linker at hand, stripped and not. */
#include "subject.h"

#include <stdio.h>
#include <stdlib.h>

const int subject_primes[8] = {2, 3, 5, 7, 11, 13, 17, 19};

static const char* const words[] = {"zero", "one", "two", "three", "four", "five", "six", "seven"};

static int add(int left, int right) { return left + right; }
static int subtract(int left, int right) { return left - right; }
static int multiply(int left, int right) { return left * right; }
static int divide(int left, int right) { return right == 0 ? 0 : left / right; }

static int (*const operations[])(int, int) = {add, subtract, multiply, divide};
static int (*latest)(int, int) = add;

static int counter;
static int* farewell;
static __thread int mine = 5;

__attribute__((constructor)) static void begin(void) { counter = 100; }

__attribute__((destructor)) static void end(void) {
  if (farewell != NULL) *farewell = 77;
}

int subject_sum(const int* values, size_t count) {
  int sum = 0;
  for (size_t i = 0; i != count; ++i) sum += values[i];
  return sum;
}

const char* subject_word(unsigned index) { return index < sizeof words / sizeof *words ? words[index] : "many"; }

int subject_apply(unsigned operation, int left, int right) {
  if (operation < sizeof operations / sizeof *operations) latest = operations[operation];
  return latest(left, right);
}

int subject_switch(int value) {
  switch (value) {
    case 0: return subject_sum(subject_primes, 2);
    case 1: return (int)words[1][0];
    case 2: return counter;
    case 3: return mine + 3;
    case 4: return atoi("44");
    case 5: return -5;
    case 6: return abs(-66);
    default: return value * 7;
  }
}

int subject_count(void) { return ++counter; }

static int compare(const void* left, const void* right) { return *(const int*)left - *(const int*)right; }

void subject_sort(int* values, size_t count) { qsort(values, count, sizeof *values, compare); }

int subject_text(char* buffer, size_t size, int number) {
  return snprintf(buffer, size, "%s-%d", subject_word((unsigned)number % 8), number);
}

int subject_per_thread(int more) { return mine += more; }

int subject_own_call(int value) { return subject_apply(2, value, subject_count()); }

void subject_farewell(int* said) { farewell = said; }
