// SPDX-License-Identifier: MIT
// attributes: functions whose calling convention is part of their type are called by it, and so is what stands where
// one is absent.
#include <gtest/gtest.h>

#include <autoreload/autoreload.hpp>
#include <string>

#include "conventions.h"

namespace {

struct conventions_api {
#if defined(__x86_64__)
  autoreload::required<::by_ms_abi> by_ms_abi;
  autoreload::optional<::absent_by_ms_abi> absent_by_ms_abi;
#endif
#if defined(__x86_64__) && defined(__clang__)
  autoreload::required_as<"__regcall3__by_regcall", decltype(::by_regcall)> by_regcall;  // clang's name for it
  autoreload::required<::by_preserve_most> by_preserve_most;
  autoreload::optional<::absent_by_vectorcall> absent_by_vectorcall;
  autoreload::optional<::absent_by_regcall> absent_by_regcall;
#endif
  autoreload::required<::leave> leave;
  autoreload::required<::print> print;
};

autoreload::result<autoreload::symbols::module<conventions_api>> load() {
  return autoreload::symbols::module<conventions_api>::load(AUTORELOAD_CONVENTIONS);
}

TEST(attributes, each_convention_is_called_by) {
  const auto lib = load();
  ASSERT_TRUE(lib) << lib.error().what();
#if defined(__x86_64__)
  EXPECT_EQ((*lib)->by_ms_abi(1, 2.5, "three", 4), 10.5);
#endif
#if defined(__x86_64__) && defined(__clang__)
  EXPECT_EQ((*lib)->by_regcall(1, 2.5, "three", 4), 10.5);
  EXPECT_EQ((*lib)->by_preserve_most(1, 2.5, "three", 4), 10.5);
#endif
}

TEST(attributes, what_is_absent_throws_through_its_own_convention) {
  const auto lib = load();
  ASSERT_TRUE(lib) << lib.error().what();
#if defined(__x86_64__)
  EXPECT_FALSE((*lib)->absent_by_ms_abi);
  EXPECT_THROW((*lib)->absent_by_ms_abi(1, 2), autoreload::error);
#endif
#if defined(__x86_64__) && defined(__clang__)
  EXPECT_THROW((*lib)->absent_by_vectorcall(1, 2), autoreload::error);
  EXPECT_THROW((*lib)->absent_by_regcall(1, 2), autoreload::error);
#endif
}

TEST(attributes, are_left_out_of_the_declaration_and_a_va_list_is_called_so) {
  std::string all;
  for (const autoreload::symbol_info& s : autoreload::symbols_of<conventions_api>()) {
    all += s.declaration(s.name) + "\n";
  }
  EXPECT_NE(all.find("void leave(int)\n"), std::string::npos) << all;
  EXPECT_NE(all.find("int print(char *, const char *, va_list)\n"), std::string::npos) << all;
#if defined(__x86_64__)
  EXPECT_NE(all.find("double by_ms_abi(int, double, const char *"), std::string::npos) << all;
#endif
}

}  // namespace
