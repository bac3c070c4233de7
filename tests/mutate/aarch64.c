/* SPDX-License-Identifier: MIT
 * aarch64: a library for the other machine, without its libc, to be inspected only. */
extern int elsewhere(int);
extern void sort(int*, unsigned long, int (*)(const int*, const int*));

#define EXPORT __attribute__((visibility("default")))

EXPORT const int table[4] = {1, 2, 3, 4};
EXPORT int counter;
static __thread int mine = 7;
static int twice(int value) { return 2 * value; }
static int thrice(int value) { return 3 * value; }
static int (*const operations[])(int) = {twice, thrice, elsewhere};

__attribute__((constructor)) static void begin(void) { counter = 1; }
__attribute__((destructor)) static void end(void) { counter = 0; }

EXPORT int apply(unsigned which, int value) { return operations[which % 3](value) + mine++; }
static int compare(const int* left, const int* right) { return *left - *right; }
EXPORT int total(int* values, unsigned long count) {
  int sum = 0;
  sort(values, count, compare);
  for (unsigned long i = 0; i != count; ++i) sum += values[i] + table[i % 4];
  return sum + apply(0, counter);
}
