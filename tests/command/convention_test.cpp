// SPDX-License-Identifier: MIT
// convention_test: every class of argument and result of the calling convention, against the compiler.
#include "agreement.hpp"

namespace {

std::vector<support::listed_call> calls() {
  std::vector<support::listed_call> list;
  const auto add = [&](const std::string& text) { list.push_back({text, true}); };
  // The names of the table in convention.h.
  const std::string header = support::read_file(AUTORELOAD_CONVENTION "/convention.h");
  for (std::size_t at = 0; (at = header.find("\n  X(", at)) != std::string::npos; ++at) {
    const std::string name = header.substr(at + 5, header.find(',', at) - at - 5);
    add("sizeof(make_" + name + "(5))");
#if defined(__x86_64__)
    if (name == "wide_aligned") continue;  // refused as an argument: see below
#endif
    add("sum_" + name + "(make_" + name + "(5))");
    add("take_" + name + "(1, make_" + name + "(2), 0.5, make_" + name + "(3), 4)");
    add("many_" + name + "(1, 2, 3, 4, 5, 1.5, 2.5, 3.5, 4.5, 5.5, 6.5, 7.5, make_" + name + "(2), 9)");
  }
  for (const char* const text :
       {"make_number(7).i",
        "take_number(make_number(1), 2, (union number){.i = 3})",
        "make_real(2.5).d",
        "take_real(make_real(1.5), (union real){.d = 2})",
        "make_both(3).l[1]",
        "take_both(make_both(4), 0.5)",
        "take_both((union both){.l = {1, 2}}, 1)",
        "make_packed(3).b",
        "take_packed(1, make_packed(2))",
        "(int)pass_char(-5)",
        "(int)pass_schar(-128)",
        "(int)pass_uchar(200)",
        "pass_short(-30000)",
        "pass_ushort(60000)",
        "pass_int(-2147483647)",
        "pass_uint(4000000000)",
        "pass_long(-5000000000)",
        "pass_ulong(18446744073709551615ul)",
        "pass_llong(-9)",
        "pass_bool(7)",
        "pass_float(0.1f)",
        "pass_double(0.1)",
        "pass_ldouble(0.1L)",
        "(double)pass_cfloat(3)",
        "(double)pass_cdouble(3)",
        "(long double)pass_cldouble(3)",
        "(double)(pass_cdouble(3) * pass_cdouble(1))",
        "high_of(make_wide(3, -1))",
        "(long)make_wide(3, 4)",
        "take_aligned_whole(1, make_aligned_whole(2), make_aligned_whole(3), 4)",
        "(int)pass_color(BLUE)",
        "(int)pass_color(GREEN)",
        "pass_pointer(\"text\")",
        "pass_pointer(NULL)",
        "twenty(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20)",
        "sum_of(8, 1, 2.5, 3l, make_int_double(4), (char)5, 6.5f, 7l, (struct int_double){8, 9})",
        "sum_of(20, 1, 2., 3l, make_int_double(4), 5, 6., 7l, make_int_double(8), 9, 10., 11l, make_int_double(12), "
        "13, 14., "
        "15l, make_int_double(16), 17, 18., 19l, make_int_double(20))"}) {
    add(text);
  }
#if defined(__aarch64__)  // clang 14 does not align these on x86-64's stack
  add("take_wide(1, make_wide(2, 0), 3, make_wide(0, 4), 5, make_wide(6, 0), 7)");
#endif
  return list;
}

struct flavour {
  const char* compiler;
  const char* level;
};
class Convention : public testing::TestWithParam<flavour> {};
INSTANTIATE_TEST_SUITE_P(Each, Convention,
                         testing::Values(flavour{"gcc", "-O0"}, flavour{"gcc", "-O2"}, flavour{"clang", "-O0"},
                                         flavour{"clang", "-O2"}),
                         [](const auto& chosen) {
                           return std::string(chosen.param.compiler) + (chosen.param.level + 1);
                         });

TEST_P(Convention, PassesAndReturnsEachClassAsTheCompilerDoes) {
  const auto [compiler, level] = GetParam();
  if (!support::installed(compiler)) GTEST_SKIP() << compiler << " is not installed";
#if !defined(__x86_64__) && !defined(__aarch64__)
  GTEST_SKIP() << "unions and bit-fields are passed on x86-64 and aarch64 only";
#endif
  const support::temp_directory directory;
  const std::string library = directory / "libconvention.so";
  const std::string start = std::string(compiler) + " -std=gnu11 -w " + level + " -I'" AUTORELOAD_CONVENTION "' ";
  support::shell(start + "-g -shared -fPIC -o '" + library + "' '" AUTORELOAD_CONVENTION "/convention.c'");
  support::write_file(directory / "calls.c", support::program_of(calls(), "#include \"convention.h\"\n"));
  support::shell(start + "-o '" + (directory / "calls") + "' '" + (directory / "calls.c") + "' '" + library + "'");
  const char* const emulator = std::getenv("AUTORELOAD_EMULATOR");
  const std::string run = (emulator != nullptr ? emulator + std::string(" '") : "'") + (directory / "calls") + "'";
  support::expect_agreement({"call", library}, calls(), support::shell(run));
}

TEST(ConventionLimits, RefusesWhatItIsNotSureOf) {
  const support::temp_directory directory;
  support::build_library(
      directory / "odd.so",
      "struct __attribute__((packed)) tight { char c; int i; }; int f(struct tight t) { return t.i; }\n"
      "typedef int four __attribute__((vector_size(16))); int g(four v) { return v[0]; }\n"
      "struct empty {}; int h(struct empty e) { (void)e; return 1; }\n"
      "struct tight make(int n) { return (struct tight){1, n}; }\n"
      "struct strict { _Alignas(32) int i; }; int k(struct strict s) { return s.i; }\n",
      "-w");
  const auto refused = [&](const std::string& expression, const std::string& why) {
    const support::ran came = support::autoreload({"call", directory / "odd.so", expression});
    EXPECT_EQ(came.status, 1) << expression;
    EXPECT_NE(came.err.find(why), std::string::npos) << came.err;
  };
  refused("h((struct empty){})", "passed");
#if defined(__aarch64__)
  const std::vector<std::string> these{"call", directory / "odd.so", "f((struct tight){1, 2})",
                                       "k((struct strict){3})"};
  EXPECT_EQ(support::autoreload(these).out, "2\n3\n");
#else
  refused("f((struct tight){1, 2})", "passed");
  refused("k((struct strict){3})", "aligned more strictly");
#endif
  // A result of that kind comes through a hidden pointer, which is certain.
  EXPECT_EQ(support::autoreload({"call", directory / "odd.so", "make(7)"}).out, "{.c = '\\001', .i = 7}\n");
}

}  // namespace
