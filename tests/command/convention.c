// SPDX-License-Identifier: MIT
// convention: each field of each argument goes into the result with another factor.
#include "convention.h"

#include <complex.h>
#include <stdarg.h>
#include <string.h>

#define DEFINE(name, sum, ...)                                                                                 \
  double sum_##name(struct name x) { return (double)(x.sum); }                                                 \
  double take_##name(int before, struct name x, double between, struct name y, int after) {                    \
    return before + 10 * sum_##name(x) + 100 * between + 1000 * sum_##name(y) + 100000.0 * after;              \
  }                                                                                                            \
  double many_##name(long a, long b, long c, long d, long e, double f, double g, double h, double i, double j, \
                     double k, double l, struct name x, long last) {                                           \
    return a + b + c + d + e + f + g + h + i + j + k + l + 100 * sum_##name(x) + 10000.0 * last;               \
  }
FIELDS_OF(DEFINE)

#define MAKE(name, ...)                \
  struct name make_##name(int n) {     \
    return (struct name){__VA_ARGS__}; \
  }
MAKE(one_char, n)
MAKE(three_chars, n, n + 1, n + 2)
MAKE(seven_chars, {n, 0, 0, n + 1, 0, 0, n + 2})
MAKE(one_int, n)
MAKE(int_char, n, n + 1)
MAKE(two_ints, n, -n)
MAKE(three_ints, n, -n, n + 1)
MAKE(two_longs, n, -n)
MAKE(three_longs, n, -n, n + 1)
MAKE(one_float, n + 0.5f)
MAKE(two_floats, n + 0.5f, n)
MAKE(three_floats, n + 0.5f, n, -n)
MAKE(four_floats, {n, n + 0.5f, 1, -n})
MAKE(five_floats, {n, n + 0.5f, 1, -n, n + 2})
MAKE(one_double, n + 0.25)
MAKE(two_doubles, n + 0.25, -n)
MAKE(three_doubles, n + 0.25, -n, n + 1)
MAKE(int_float, n, n + 0.5f)
MAKE(float_int, n + 0.5f, n)
MAKE(int_double, n, n + 0.5)
MAKE(double_int, n + 0.5, n)
MAKE(float_double, n + 0.5f, n)
MAKE(floats_int, n + 0.5f, n, -n)
MAKE(double_chars, n + 0.5, {n, 0, n + 1})
MAKE(short_char, -n, n)
MAKE(nine_chars, {n, 0, 0, 0, 0, 0, 0, 0, n + 1})
MAKE(sixteen_chars, {n, [15] = n + 1})
MAKE(seventeen_chars, {n, [16] = n + 1})
MAKE(nested, {n, {n + 1}}, n + 0.5f)
MAKE(with_union, {.i = n}, n + 1)
MAKE(float_union, {.g = {0, n}}, n + 0.5f)
MAKE(bits, n & 7, -n, (unsigned long)n << 30)
MAKE(bits_double, n, n + 0.5)
MAKE(one_long_double, n + 0.125L)
MAKE(long_double_int, n + 0.125L, n)
MAKE(pointer_float, 0, n + 0.5f)
MAKE(aligned, n)
MAKE(wide_aligned, n, n + 1)
MAKE(bool_bytes, n, 0, -n)
MAKE(five_doubles, {n, n + 0.5, 1, -n, n + 2})
MAKE(two_long_doubles, {n + 0.125L, -n})
MAKE(complex_float, n + 0.5f, -n)
MAKE(wide_inside, n)
MAKE(large, {[99] = n}, n + 0.5, n + 1)

union number make_number(int n) {
  return (union number){.i = n};
}
int take_number(union number a, int b, union number c) { return a.i + 10 * b + 100 * c.i; }
union real make_real(double d) {
  return (union real){.d = d};
}
double take_real(union real a, union real b) { return a.d + 10 * b.d; }
union both make_both(long n) {
  return (union both){.l = {n, n + 1}};
}
long take_both(union both a, double b) { return a.l[0] + 10 * a.l[1] + (long)(100 * b); }
struct packed_large make_packed(int n) {
  return (struct packed_large){(char)n, n + 0.5, n + 1};
}
struct aligned_whole make_aligned_whole(int n) {
  return (struct aligned_whole){n};
}
int take_aligned_whole(int n, struct aligned_whole x, struct aligned_whole y, int m) {
  return n + 10 * x.a + 100 * y.a + 1000 * m;
}
double take_packed(int n, struct packed_large p) { return n + 10 * p.a + 100 * p.b + 1000.0 * p.c; }

char pass_char(char v) { return v; }
signed char pass_schar(signed char v) { return v; }
unsigned char pass_uchar(unsigned char v) { return v; }
short pass_short(short v) { return v; }
unsigned short pass_ushort(unsigned short v) { return v; }
int pass_int(int v) { return v; }
unsigned pass_uint(unsigned v) { return v; }
long pass_long(long v) { return v; }
unsigned long pass_ulong(unsigned long v) { return v; }
long long pass_llong(long long v) { return v; }
_Bool pass_bool(_Bool v) { return v; }
float pass_float(float v) { return v; }
double pass_double(double v) { return v; }
long double pass_ldouble(long double v) { return v; }
float _Complex pass_cfloat(float _Complex v) { return v * (1 + 2 * I); }
double _Complex pass_cdouble(double _Complex v) { return v * (1 + 2 * I); }
long double _Complex pass_cldouble(long double _Complex v) { return v * (1 + 2 * I); }
long high_of(__int128 v) { return (long)(v >> 64); }
__int128 make_wide(long high, long low) { return (__int128)high << 64 | (unsigned long)low; }
long take_wide(int a, __int128 b, int c, __int128 d, int e, __int128 f, int g) {
  return a + 10 * (long)(b >> 64) + 100 * c + 1000 * (long)d + 10000 * e + 100000 * (long)(f >> 64) + 1000000 * g;
}
enum color pass_color(enum color v) { return v; }
char* pass_pointer(char* v) { return v; }
double twenty(int a, float b, long c, double d, short e, float f, char g, double h, int i, float j, int k, double l,
              int m, double n, int o, double p, int q, double r, long double s, double t) {
  return a + 2 * b + 3 * c + 4 * d + 5 * e + 6 * f + 7 * g + 8 * h + 9 * i + 10 * j + 11 * k + 12 * l + 13 * m +
         14 * n + 15 * o + 16 * p + 17 * q + 18 * r + 19 * (double)s + 20 * t;
}
double sum_of(int count, ...) {  // an int, a double, a long and a struct, in turn
  va_list list;
  va_start(list, count);
  double sum = 0;
  for (int i = 0; i < count; ++i) {
    switch (i % 4) {
      case 0: sum += va_arg(list, int); break;
      case 1: sum += va_arg(list, double); break;
      case 2: sum += (double)va_arg(list, long); break;
      default: sum += sum_int_double(va_arg(list, struct int_double)); break;
    }
  }
  va_end(list);
  return sum;
}
