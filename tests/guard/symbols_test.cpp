// SPDX-License-Identifier: MIT
// symbols: exported names that are not simply the name of a function in a C source.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "support.hpp"

namespace {

using namespace autoreload_test;

// Two builds of a library, the second with -DAFTER, and what the guard says of the change.
class odd_symbol : public testing::Test {
 protected:
  guard_verdict change(const std::string& file, const std::string& source, std::vector<symbol_info> symbols,
                       const std::string& flags = "") {
    directory_.write(file, source);
    const std::string compiler = file.ends_with(".cpp") ? "c++ -g -fPIC -shared " : "cc -g -fPIC -shared ";
    EXPECT_TRUE(directory_.run(compiler + flags + " -o before.so " + file));
    EXPECT_TRUE(directory_.run(compiler + flags + " -DAFTER -o after.so " + file));
    const unique_fd before = snapshot(directory_ / "before.so");
    const unique_fd after = snapshot(directory_ / "after.so");
    return autoreload::make_abi_guard(patient())->check({directory_ / "it.so", after.get(), before.get(), symbols, ""});
  }

  scratch_directory directory_;
};

constexpr const char* alias_source = R"(
#ifdef AFTER
typedef long number;
#else
typedef int number;
#endif
int real_name(number a) { return (int)a; }
extern __typeof(real_name) other_name __attribute__((alias("real_name")));
)";

TEST_F(odd_symbol, an_alias_has_the_type_of_what_it_stands_for) {
  const guard_verdict verdict = change("a.c", alias_source, {function("other_name")});
  EXPECT_TRUE(says(verdict.differences, "number: int became long (reached through other_name(number))"))
      << text_of(verdict);
}

TEST_F(odd_symbol, an_alias_and_its_target_are_both_found) {
  const guard_verdict verdict = change("a.c", alias_source, {function("other_name"), function("real_name")});
  EXPECT_TRUE(says(verdict.differences, " and 1 more)")) << text_of(verdict);
}

TEST_F(odd_symbol, a_versioned_symbol_is_found_by_its_address) {
  directory_.write("map", "ONE { global: served; local: *; };\n");
  const guard_verdict verdict = change("v.c", R"(
__asm__(".symver served_now, served@@ONE");
#ifdef AFTER
int served_now(int a, int b) { return a + b; }
#else
int served_now(int a) { return a; }
#endif
)",
                                       {function("served")}, "-Wl,--version-script=map");
  EXPECT_EQ(verdict.differences, std::vector<std::string>{"served: int (int) became int (int, int)"})
      << text_of(verdict);
}

// In whatever order the units are looked at, and the functions in each.
TEST_F(odd_symbol, a_weak_function_is_not_mistaken_for_the_one_that_replaced_it) {
  std::vector<symbol_info> symbols{function("shared")};
  for (const char* const name : {"above_1", "below_1", "above_2", "below_2", "above_3", "below_3"}) {
    symbols.push_back(function(name));
  }
  directory_.write("weak.c", R"(
int ABOVE(void) { return 1; }
__attribute__((weak)) int shared(int a, int b, int c) { return a + b + c; }
int BELOW(void) { return 2; }
)");
  ASSERT_TRUE(directory_.run(
      "for i in 1 2 3; do cc -g -fPIC -DABOVE=above_$i -DBELOW=below_$i -c -o weak$i.o weak.c || exit; done"));
  const guard_verdict verdict = change("w.c", R"(
#ifdef AFTER
int shared(long a) { return (int)a; }
#else
int shared(int a) { return a; }
#endif
)",
                                       symbols, "weak1.o weak2.o weak3.o");
  EXPECT_EQ(verdict.differences, std::vector<std::string>{"shared: int (int) became int (long)"}) << text_of(verdict);
}

TEST_F(odd_symbol, an_indirect_function_is_not_mistaken_for_its_resolver) {
  const guard_verdict verdict = change("i.c", R"(
static int fast(int a) { return a; }
#ifdef AFTER
typedef long result;
#else
typedef int result;
#endif
static result (*choose(void))(int) { return (result (*)(int))fast; }
result chosen(int) __attribute__((ifunc("choose")));
)",
                                       {function("chosen")});
  EXPECT_FALSE(verdict.refuse) << text_of(verdict);
  EXPECT_TRUE(says(verdict.notes, "chosen is not in its debug information")) << text_of(verdict);
}

TEST_F(odd_symbol, assembly_is_not_taken_at_its_word) {
  const guard_verdict verdict = change("s.S", R"(
.text
.globl from_assembly
.type from_assembly, @function
from_assembly:
  ret
.size from_assembly, .-from_assembly
.section .note.GNU-stack,"",@progbits
)",
                                       {function("from_assembly")});
  EXPECT_FALSE(verdict.refuse) << text_of(verdict);
  EXPECT_TRUE(says(verdict.notes, "from_assembly is not in its debug information")) << text_of(verdict);
}

TEST_F(odd_symbol, a_function_that_is_inlined_elsewhere_is_found_too) {
  const guard_verdict verdict = change("o.c", R"(
#ifdef AFTER
#define TYPE double
#else
#define TYPE float
#endif
TYPE scaled(TYPE by) { return by * 2; }
TYPE twice(TYPE by) { return scaled(by) + scaled(by + 1); }
)",
                                       {function("scaled"), function("twice")}, "-O3");
  EXPECT_EQ(verdict.differences.size(), 2U) << text_of(verdict);
  EXPECT_TRUE(says(verdict.differences, "scaled: float (float) became double (double)")) << text_of(verdict);
}

constexpr const char* cpp_source = R"(
namespace engine {
class body {
 public:
  explicit body(int m) : mass(m) {}
  static int count;
  int mass;
#ifdef AFTER
  int charge = 0;
#endif
};
int body::count = 0;
int mangled(const body& b) { return b.mass; }
}
extern "C" int weigh(const engine::body& b) { return engine::mangled(b); }
)";

TEST_F(odd_symbol, a_cpp_library_shows_its_references_and_classes) {
  const guard_verdict verdict = change("c.cpp", cpp_source, {function("weigh")});
  EXPECT_EQ(verdict.differences,
            std::vector<std::string>{"struct body: size 4 became 8, field charge added at offset 4 "
                                     "(reached through weigh(const struct body &))"})
      << text_of(verdict);
}

TEST_F(odd_symbol, a_mangled_name_is_found) {
  const guard_verdict verdict = change("c.cpp", cpp_source, {function("_ZN6engine7mangledERKNS_4bodyE")});
  EXPECT_TRUE(says(verdict.differences, "struct body: size 4 became 8")) << text_of(verdict);
}

TEST_F(odd_symbol, a_name_without_debug_information_beside_others_is_named) {
  directory_.write("blind.c", "int blind(int a) { return a; }\n");
  ASSERT_TRUE(directory_.run("cc -g0 -fPIC -c -o blind.o blind.c"));
  const guard_verdict verdict =
      change("n.c", "int seen(int a) { return a; }\n", {function("blind"), function("seen")}, "blind.o");
  EXPECT_FALSE(verdict.refuse);
  EXPECT_TRUE(says(verdict.notes, "blind is not in its debug information")) << text_of(verdict);
  EXPECT_FALSE(says(verdict.notes, "seen is not")) << text_of(verdict);
}

TEST_F(odd_symbol, a_list_that_leads_back_to_itself_ends) {
  const guard_verdict verdict = change("l.c", R"(
struct list { struct list *next; struct list **all; struct list *(*follow)(struct list *);
#ifdef AFTER
  int length;
#endif
};
int length(const struct list *l) { return l->next != 0; }
)",
                                       {function("length")});
  EXPECT_EQ(verdict.differences.size(), 1U) << text_of(verdict);
  EXPECT_TRUE(says(verdict.differences, "field length added at offset 24")) << text_of(verdict);
}

TEST_F(odd_symbol, a_separate_file_of_another_build_is_not_believed) {
  directory_.write("b.c", "int f(int a) { return a; }\n");
  ASSERT_TRUE(
      directory_.run("cc -g -fPIC -shared -o it.so b.c && objcopy --only-keep-debug it.so it.debug && "
                     "strip -g it.so && objcopy --add-gnu-debuglink=it.debug it.so && "
                     "echo 'int g(int a, int b, int c) { return a + b + c; }' >>b.c && "
                     "cc -g -fPIC -shared -o other.so b.c && objcopy --only-keep-debug other.so it.debug"));
  const unique_fd library = snapshot(directory_ / "it.so");
  const std::vector<symbol_info> symbols{function("f")};
  const guard_verdict verdict =
      autoreload::make_abi_guard(patient())->check({directory_ / "it.so", library.get(), -1, symbols, ""});
  EXPECT_TRUE(says(verdict.notes, "separate debug information belongs to another build")) << text_of(verdict);
}

TEST_F(odd_symbol, a_device_in_the_place_of_a_separate_file_does_not_hold_anybody_up) {
  directory_.write("b.c", "int f(int a) { return a; }\n");
  ASSERT_TRUE(
      directory_.run("cc -g -fPIC -shared -o it.so b.c && objcopy --only-keep-debug it.so it.debug && "
                     "strip -g it.so && objcopy --add-gnu-debuglink=it.debug it.so && rm it.debug && mkfifo it.debug"));
  const unique_fd library = snapshot(directory_ / "it.so");
  const std::vector<symbol_info> symbols{function("f")};
  const guard_verdict verdict =
      autoreload::make_abi_guard(patient())->check({directory_ / "it.so", library.get(), -1, symbols, ""});
  EXPECT_TRUE(says(verdict.notes, "the library has no debug information")) << text_of(verdict);
}

}  // namespace
