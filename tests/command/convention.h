// SPDX-License-Identifier: MIT
// convention: types of every class in which arguments and results are passed, each as two arguments and as a result.
#include <stdint.h>

// A name, what is computed of the fields, and the fields.
// clang-format off
#define FIELDS_OF(X) \
  X(one_char, a, char a;) \
  X(three_chars, a + 2 * x.b + 3 * x.c, char a, b, c;) \
  X(seven_chars, a[0] + 2 * x.a[3] + 3 * x.a[6], char a[7];) \
  X(one_int, a, int a;) \
  X(int_char, a + 2 * x.b, int a; char b;) \
  X(two_ints, a + 2 * x.b, int a, b;) \
  X(three_ints, a + 2 * x.b + 3 * x.c, int a, b, c;) \
  X(two_longs, a + 2 * x.b, long a, b;) \
  X(three_longs, a + 2 * x.b + 3 * x.c, long a, b, c;) \
  X(one_float, a, float a;) \
  X(two_floats, a + 2 * x.b, float a, b;) \
  X(three_floats, a + 2 * x.b + 3 * x.c, float a, b, c;) \
  X(four_floats, a[0] + 2 * x.a[1] + 3 * x.a[3], float a[4];) \
  X(five_floats, a[0] + 2 * x.a[1] + 3 * x.a[4], float a[5];) \
  X(one_double, a, double a;) \
  X(two_doubles, a + 2 * x.b, double a, b;) \
  X(three_doubles, a + 2 * x.b + 3 * x.c, double a, b, c;) \
  X(int_float, a + 2 * x.b, int a; float b;) \
  X(float_int, a + 2 * x.b, float a; int b;) \
  X(int_double, a + 2 * x.b, int a; double b;) \
  X(double_int, a + 2 * x.b, double a; int b;) \
  X(float_double, a + 2 * x.b, float a; double b;) \
  X(floats_int, a + 2 * x.b + 3 * x.c, float a, b; int c;) \
  X(double_chars, a + 2 * x.b[0] + 3 * x.b[2], double a; char b[3];) \
  X(short_char, a + 2 * x.b, short a; char b;) \
  X(nine_chars, a[0] + 2 * x.a[8], char a[9];) \
  X(sixteen_chars, a[0] + 2 * x.a[15], char a[16];) \
  X(seventeen_chars, a[0] + 2 * x.a[16], char a[17];) \
  X(nested, out.a + 2 * x.out.in.b + 3 * x.c, struct { short a; struct { char b; } in; } out; float c;) \
  X(with_union, u.i + 2 * x.b, union { int i; float f; } u; int b;) \
  X(float_union, u.g[1] + 2 * x.b, union { float f; float g[2]; } u; float b;) \
  X(bits, a + 2 * x.b + 3 * x.c, unsigned a : 3; int b : 7; unsigned long c : 40;) \
  X(bits_double, a + 2 * x.b, unsigned a : 9; double b;) \
  X(one_long_double, a, long double a;) \
  X(long_double_int, a + 2 * x.b, long double a; int b;) \
  X(pointer_float, b, long* a; float b;) \
  X(aligned, a, _Alignas(16) int a;) \
  X(wide_aligned, a + 2 * x.b, _Alignas(32) int a; int b;) \
  X(bool_bytes, a + 2 * x.b + 3 * x.c, _Bool a, b; signed char c;) \
  X(five_doubles, a[0] + 2 * x.a[4], double a[5];) \
  X(two_long_doubles, a[0] + 2 * x.a[1], long double a[2];) \
  X(complex_float, a * 1.0f + 2 * x.b, float _Complex a; float b;) \
  X(wide_inside, a, __int128 a;) \
  X(large, a[99] + 2 * x.b + 3 * x.c, char a[100]; double b; int c;)
// clang-format on

#define DECLARE(name, sum, ...)                                                                                \
  struct name {                                                                                                \
    __VA_ARGS__                                                                                                \
  };                                                                                                           \
  double take_##name(int before, struct name x, double between, struct name y, int after);                     \
  double many_##name(long a, long b, long c, long d, long e, double f, double g, double h, double i, double j, \
                     double k, double l, struct name x, long last);                                            \
  struct name make_##name(int seed);                                                                           \
  double sum_##name(struct name x);
FIELDS_OF(DECLARE)

union number {
  int i;
  float f;
  char c[3];
};
union real {
  float f;
  double d;
};
union both {
  double d;
  long l[2];
};
struct __attribute__((aligned(16))) aligned_whole {
  int a;
};
struct __attribute__((packed)) packed_large {
  char a;
  double b;
  long c;
};

union number make_number(int n);
int take_number(union number a, int b, union number c);
union real make_real(double d);
double take_real(union real a, union real b);
union both make_both(long n);
long take_both(union both a, double b);
struct packed_large make_packed(int n);
struct aligned_whole make_aligned_whole(int n);
int take_aligned_whole(int n, struct aligned_whole x, struct aligned_whole y, int m);
double take_packed(int n, struct packed_large p);

char pass_char(char v);
signed char pass_schar(signed char v);
unsigned char pass_uchar(unsigned char v);
short pass_short(short v);
unsigned short pass_ushort(unsigned short v);
int pass_int(int v);
unsigned pass_uint(unsigned v);
long pass_long(long v);
unsigned long pass_ulong(unsigned long v);
long long pass_llong(long long v);
_Bool pass_bool(_Bool v);
float pass_float(float v);
double pass_double(double v);
long double pass_ldouble(long double v);
float _Complex pass_cfloat(float _Complex v);
double _Complex pass_cdouble(double _Complex v);
long double _Complex pass_cldouble(long double _Complex v);
long high_of(__int128 v);
__int128 make_wide(long high, long low);
long take_wide(int a, __int128 b, int c, __int128 d, int e, __int128 f, int g);
enum color { RED, GREEN = 5, BLUE = -1 };
enum color pass_color(enum color v);
char* pass_pointer(char* v);
double twenty(int a, float b, long c, double d, short e, float f, char g, double h, int i, float j, int k, double l,
              int m, double n, int o, double p, int q, double r, long double s, double t);
double sum_of(int count, ...);
