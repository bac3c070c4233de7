// SPDX-License-Identifier: MIT
// expression_test: C expressions without a library: what is read, checked, computed and shown, against the compiler.
#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <string>

#include "expression/evaluate.hpp"
#include "expression/show.hpp"
#include "session.hpp"

namespace {

using namespace autoreload::command;
namespace types = autoreload::types;

int global = 7;
int twice(int n) { return 2 * n; }

// struct shape { int r; char name[4]; unsigned low : 3; int high : 5; struct { double x, y; } at; union { int i; float
// f; }; }; enum color { RED, GREEN = 5, BLUE }; enum flags { READ = 1, WRITE = 2, RUN = 4 };
types::description a_library() {
  types::description made;
  const auto add = [&](types::type t) {
    made.types.push_back(std::move(t));
    return static_cast<types::type_index>(made.types.size() - 1);
  };
  using types::encoding;
  using types::kind;
  const auto integer = add({.kind = kind::base, .encoding = encoding::signed_integer, .name = "int", .size = 4});
  const auto natural =
      add({.kind = kind::base, .encoding = encoding::unsigned_integer, .name = "unsigned int", .size = 4});
  const auto letter = add({.kind = kind::base, .encoding = encoding::signed_integer, .name = "char", .size = 1});
  const auto real = add({.kind = kind::base, .encoding = encoding::floating, .name = "double", .size = 8});
  const auto small_real = add({.kind = kind::base, .encoding = encoding::floating, .name = "float", .size = 4});
  const auto name = add({.kind = kind::array, .size = 4, .target = letter});
  const auto at = add({.kind = kind::structure,
                       .size = 16,
                       .members = {{.name = "x", .type = real}, {.name = "y", .type = real, .bit_offset = 64}}});
  const auto either = add(
      {.kind = kind::unite, .size = 4, .members = {{.name = "i", .type = integer}, {.name = "f", .type = small_real}}});
  const auto shape = add({.kind = kind::structure,
                          .name = "shape",
                          .size = 40,
                          .members = {{.name = "r", .type = integer},
                                      {.name = "name", .type = name, .bit_offset = 32},
                                      {.name = "low", .type = natural, .bit_offset = 64, .bit_size = 3},
                                      {.name = "high", .type = integer, .bit_offset = 67, .bit_size = 5},
                                      {.name = "at", .type = at, .bit_offset = 128},
                                      {.name = "", .type = either, .bit_offset = 256}}});
  add({.kind = kind::alias, .name = "shape_t", .target = shape});
  add({.kind = kind::structure, .complete = false, .name = "secret"});
  const auto color =
      add({.kind = kind::enumeration,
           .name = "color",
           .size = 4,
           .target = natural,
           .members = {{.name = "RED", .value = 0}, {.name = "GREEN", .value = 5}, {.name = "BLUE", .value = 6}}});
  static_cast<void>(color);
  add({.kind = kind::enumeration,
       .name = "flags",
       .size = 4,
       .target = natural,
       .members = {{.name = "READ", .value = 1}, {.name = "WRITE", .value = 2}, {.name = "RUN", .value = 4}}});
  add({.kind = kind::alias,
       .name = "int8_t",
       .target = add({.kind = kind::base, .encoding = encoding::signed_integer, .name = "signed char", .size = 1})});
  const auto function = add({.kind = kind::function, .target = integer, .members = {{.name = "n", .type = integer}}});
  made.symbols = {{"global", false, integer}, {"twice", true, function}};
  return made;
}

surroundings around() {
  surroundings made;
  made.address_of = [](const std::string& name) -> void* {
    return name == "global" ? static_cast<void*>(&global) : reinterpret_cast<void*>(&twice);
  };
  return made;
}

class Expression : public testing::Test {
 protected:
  // What the expression shows, one value after the other; or the complaint with what stands under the carets.
  std::string shown(const std::string& text, const show_options& options = {}) {
    try {
      const checked_expression checked = session_.check(text);
      std::string all;
      for (const value& v : evaluator_.run(*checked.tree, checked.shown.size())) {
        all += (all.empty() ? "" : " and ") + to_text(show(v, types_, options));
      }
      return all;
    } catch (const complaint& wrong) {
      const std::size_t begin = std::min(wrong.where.begin, text.size());
      return wrong.text + " [" + text.substr(begin, wrong.where.end - begin) + "]";
    }
  }

 private:
  type_table types_{a_library()};
  session session_{types_};
  evaluator evaluator_{types_, around()};
};

// Not inside of the template: g++ 12 ends there with an internal error.
type_table plain_types() { return type_table(types::description()); }

template <class T>
std::string exactly(T value) {
  type_table types = plain_types();
  basic is = basic::nothing;
  if constexpr (std::is_same_v<T, bool>) is = basic::integer;  // a comparison is an int in C
  if constexpr (std::is_same_v<T, int>) is = basic::integer;
  if constexpr (std::is_same_v<T, unsigned>) is = basic::unsigned_integer;
  if constexpr (std::is_same_v<T, long>) is = basic::long_integer;
  if constexpr (std::is_same_v<T, unsigned long>) is = basic::unsigned_long;
  if constexpr (std::is_same_v<T, long long>) is = basic::long_long;
  if constexpr (std::is_same_v<T, unsigned long long>) is = basic::unsigned_long_long;
  if constexpr (std::is_same_v<T, float>) is = basic::float_number;
  if constexpr (std::is_same_v<T, double>) is = basic::double_number;
  if constexpr (std::is_same_v<T, long double>) is = basic::long_double;
  autoreload::command::value made{types.of(is), {}};
  if constexpr (std::is_same_v<T, bool>) {
    made.bytes = store({.whole = value}, is);
  } else {
    made.bytes.resize(sizeof value);
    std::memcpy(made.bytes.data(), &value, sizeof value == 16 ? 10 : sizeof value);
  }
  return to_text(show(made, types, {}));
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wsign-compare"
#pragma GCC diagnostic ignored "-Wparentheses"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wfloat-conversion"
TEST_F(Expression, ComputesWhatTheCompilerDoesInTheSameType) {
#define SAME(expression) EXPECT_EQ(shown(#expression), exactly(expression)) << #expression
  SAME(1 + 2 * 3);
  SAME((1 + 2) * 3);
  SAME(7 / 2);
  SAME(-7 / 2);
  SAME(-7 % 3);
  SAME(7.0 / 2);
  SAME(1.0f / 3);
  SAME(1.0 / 3);
  SAME(1.0L / 3);
  SAME(0.1f + 0.2);
  SAME(1e300 * 1e10);
  SAME(-1 < 1u);
  SAME(-1L < 1u);
  SAME(2147483647 + 1u);
  SAME(2147483648);
  SAME(0xffffffff);
  SAME(0xffffffffff);
  SAME(-1u);
  SAME(~0u >> 4);
  SAME(-16 >> 2);
  SAME(1u << 31);
  SAME(1 << 4 | 3 & 2 ^ 1);
  SAME(5 == 5 && 3 > 4 || 2 != 1);
  SAME(!5 + !0);
  SAME(1 ? 2 : 3.0);
  SAME(0 ? 1u : -1);
  SAME('a' + 1);
  SAME(077 + 0b11);
  SAME(10 - 4 - 3);
  SAME(100 >> 2 >> 1);
  SAME(3ull * 5);
  SAME(1.5e3);
  SAME(0x1.8p3);
  SAME(16777217 + 0.0f);
  SAME(9007199254740993ll + 0.0);
  SAME(-2.5);
  SAME(+3l);
  SAME(1 - 2u > 0);
#undef SAME
}
#pragma GCC diagnostic pop

TEST_F(Expression, ShowsEachKindOfValueAsCWouldWriteIt) {
  EXPECT_EQ(shown("5"), "5");
  EXPECT_EQ(shown("2.5"), "2.5");
  EXPECT_EQ(shown("2.0"), "2.0");
  EXPECT_EQ(shown("1e100"), "1e+100");
  EXPECT_EQ(shown("(char)97"), "'a'");
  EXPECT_EQ(shown("(char)10"), "'\\n'");
  EXPECT_EQ(shown("(char)0"), "'\\0'");
  EXPECT_EQ(shown("(char)'\\''"), "'\\''");
  EXPECT_EQ(shown("(int8_t)97"), "97");
  EXPECT_EQ(shown("(unsigned char)97"), "97");
  EXPECT_EQ(shown("(_Bool)3"), "true");
  EXPECT_EQ(shown("\"a\\\"b\\n\\x41\" \"c\""), "\"a\\\"b\\nAc\"");
  EXPECT_EQ(shown("(char *)\"text\""), "\"text\"");
  EXPECT_EQ(shown("(void *)0"), "NULL");
  EXPECT_EQ(shown("(void *)255"), "0xff");
  EXPECT_EQ(shown("(char *)255"), "0xff");
  EXPECT_EQ(shown("(int[]){1, 2, 3}"), "{1, 2, 3}");
  EXPECT_EQ(shown("(enum color)5"), "GREEN");
  EXPECT_EQ(shown("(enum color)9"), "9");
  EXPECT_EQ(shown("(enum flags)5"), "READ | RUN");
  EXPECT_EQ(shown("BLUE"), "BLUE");
  EXPECT_EQ(shown("(shape_t){1, \"abc\", 7, -16, {.y = 2}, .f = 0.5}"),
            "{.r = 1, .name = \"abc\", .low = 7, .high = -16, .at = {.x = 0.0, .y = 2.0}, .i = 1056964608, .f = 0.5}");
  EXPECT_EQ(shown("(unsigned __int128)1 << 100"), "1267650600228229401496703205376");
  EXPECT_EQ(shown("(double _Complex)1.5"), "1.5 + 0.0i");
  EXPECT_EQ(shown("0.0 / 0.0 != 0.0 / 0.0"), "1");
  EXPECT_EQ(shown("(void)1"), "");
}

TEST_F(Expression, WritesIntegersInOtherBasesOnRequest) {
  EXPECT_EQ(shown("-1", {.base = 16}), "0xffffffff");
  EXPECT_EQ(shown("10", {.base = 2}), "0b1010");
  EXPECT_EQ(shown("8", {.base = 8}), "010");
  EXPECT_EQ(shown("0", {.base = 8}), "0");
  EXPECT_EQ(shown("(char)65", {.base = 16}), "0x41");
  EXPECT_EQ(shown("(int[]){1, 255}", {.base = 16}), "{0x1, 0xff}");
}

TEST_F(Expression, CutsLongArraysAndStringsWhereItWasTold) {
  EXPECT_EQ(shown("(int[5]){1, 2, 3}", {.most_elements = 3}), "{1, 2, 3, ...}");
  EXPECT_EQ(shown("(char *)\"abcdef\"", {.most_elements = 3}), "\"abc\"...");
  EXPECT_EQ(shown("(int[5]){1, 2, 3}", {.most_elements = 0}), "{1, 2, 3, 0, 0}");
}

TEST_F(Expression, ReadsAndSetsVariablesAndEarlierResults) {
  EXPECT_EQ(shown("global = 7"), "7");
  EXPECT_EQ(shown("global++"), "7");
  EXPECT_EQ(shown("global"), "8");
  EXPECT_EQ(shown("$1 + $3"), "15");
  EXPECT_EQ(shown("global += 2, 1"), "nothing should follow here [,]");
  EXPECT_EQ(shown("global += 2"), "10");
  EXPECT_EQ(shown("global <<= 1"), "20");
  EXPECT_EQ(shown("--global"), "19");
  EXPECT_EQ(shown("*&global"), "19");
  EXPECT_EQ(shown("$99"), "there are only 8 results so far [$99]");
  EXPECT_EQ(shown("twice(global) + twice(1)"), "40");
  EXPECT_EQ(shown("(*&twice)(4)"), "8");
}

TEST_F(Expression, MakesObjectsAndShowsTheNewOnesAfterwards) {
  EXPECT_EQ(shown("*&int"), "0 and 0");
  EXPECT_EQ(shown("*&int = 5"), "5 and 5");
  EXPECT_EQ(shown("(&struct shape)->at.y = 1.5"),
            "1.5 and {.r = 0, .name = \"\", .low = 0, .high = 0, .at = {.x = 0.0, .y = 1.5}, .i = 0, .f = 0.0}");
  EXPECT_EQ(shown("(&(struct shape){.r = 3})->r"), "3");
  EXPECT_EQ(shown("(int[3]){[1] = 4}[1]"), "4");
  EXPECT_EQ(shown("(char[]){\"hey\"}"), "\"hey\"");
  EXPECT_EQ(shown("sizeof(struct shape) + sizeof(int[3]) + sizeof \"ab\""), "55");
  EXPECT_EQ(shown("(shape_t){.at.x = 2}.at.x"), "2.0");
}

TEST_F(Expression, PutsTheCaretsUnderWhatIsWrong) {
  EXPECT_EQ(shown("1 +"), "something is missing at the end []");
  EXPECT_EQ(shown("(1"), "\")\" is missing after the expression []");
  EXPECT_EQ(shown("twise(1)"), "the library has no \"twise\" that its debug information describes [twise]");
  EXPECT_EQ(shown("twice(\"x\")"), "argument 1 of \"twice\": \"char *\" does not become \"int\" [\"x\"]");
  EXPECT_EQ(shown("twice()"), "\"twice\" takes 1 argument, not 0 [)]");
  EXPECT_EQ(shown("twice(1, 2, 3)"), "\"twice\" takes 1 argument, not 3 [2, 3]");
  EXPECT_EQ(shown("global(1)"), "this is no function, but a \"int\" [global]");
  EXPECT_EQ(shown("(struct shape){.q = 1}"), "\"struct shape\" has no field \"q\" [q]");
  EXPECT_EQ(shown("(struct shape){}.low.x"), "a \"unsigned int\" has no fields [(struct shape){}.low]");
  EXPECT_EQ(shown("&(struct shape){}.low"), "a bit-field has no address [&(struct shape){}.low]");
  EXPECT_EQ(shown("*(struct secret *)1"),
            "the size of what a \"struct secret *\" points to is not known [(struct secret *)1]");
  EXPECT_EQ(shown("5 = 6"), "only an object can be changed, and this is a value [5]");
  EXPECT_EQ(shown("\"a\" * 2"), "* needs a number, and this is a \"char *\" [\"a\"]");
  EXPECT_EQ(shown("1.5 % 2"), "% needs an integer, and this is a \"double\" [1.5]");
  EXPECT_EQ(shown("1 / (2 - 2)"), "this divides by 0 [1 / (2 - 2)]");
  EXPECT_EQ(shown("1 << 40"), "this shifts by too much [1 << 40]");
  EXPECT_EQ(shown("*(int *)8"), "this is NULL, or next to it: 4 bytes at 0x8 can't be read [*(int *)8]");
  EXPECT_EQ(shown("*(int *)NULL = 1"), "0x0 can't be written [*(int *)NULL]");
  EXPECT_EQ(shown("(unsigned float)1"), "C has no such type [unsigned float]");
  EXPECT_EQ(shown("(struct nobody *)1"), "the library has no struct nobody [struct nobody *]");
  EXPECT_EQ(shown("'ab'"), "a character is one byte; a string stands in double quotes ['ab']");
  EXPECT_EQ(shown("\"open"), "the string has no end [\"open]");
  EXPECT_EQ(shown("09"), "\"09\" is no number [09]");
  EXPECT_EQ(shown("1 @ 2"), "this is nothing that C knows [@]");
  EXPECT_EQ(shown(""), "an expression is missing []");
  EXPECT_EQ(shown("(const char *)\"x\" ? *(char **)&global = (const char *)\"y\" : 0").substr(0, 54),
            "\"const char *\" does not become \"char *\": it would lose");
}

TEST_F(Expression, EndsOnAnyNestingAndLength) {
  EXPECT_EQ(shown(std::string(100'000, '(')).substr(0, 25), "this is nested too deeply");
  EXPECT_EQ(shown(std::string(100'000, '-') + "1").substr(0, 25), "this is nested too deeply");
  EXPECT_EQ(shown(std::string(100'000, '!') + "1").substr(0, 25), "this is nested too deeply");
  EXPECT_EQ(shown("(int" + std::string(100'000, '*') + ")0"), "NULL");
  EXPECT_EQ(shown("(int" + std::string(10'000, '(') + ")0").substr(0, 25), "this is nested too deeply");
  std::string sum = "1";
  for (int i = 0; i < 150; ++i) sum += " + 1";
  EXPECT_EQ(shown(sum), "151");
  for (int i = 0; i < 100'000; ++i) sum += " + 1";
  EXPECT_EQ(shown(sum).substr(0, 16), "this is too long");
  std::string fields = "global";
  for (int i = 0; i < 100'000; ++i) fields += ".x";
  EXPECT_EQ(shown(fields).substr(0, 16), "this is too long");
}

TEST(Complaint, ShowsTheExpressionWithCaretsUnderThePartThatIsWrong) {
  EXPECT_EQ(describe({"it is wrong", {4, 7}, {"a note"}}, "add(\"x\")"),
            "it is wrong\n  add(\"x\")\n      ^~~\n  a note");
  EXPECT_EQ(describe({"it is wrong", {5, 6}}, "\"\u00fc\" @"), "it is wrong\n  \"\u00fc\" @\n      ^");
}

}  // namespace
