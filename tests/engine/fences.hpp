// SPDX-License-Identifier: MIT
// fences: both ways of announcing a pin, for tests that are typed by them.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <type_traits>

namespace support {

using fences = testing::Types<std::false_type, std::true_type>;

struct fence_name {
  template <class Fence>
  static std::string GetName(int) {
    return Fence::value ? "Fenced" : "Inlined";
  }
};

}  // namespace support
