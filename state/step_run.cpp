// SPDX-License-Identifier: MIT
// step_run: a constant goes by its name; a value without a name has no meaning when the names have moved.
#include "state/step_run.hpp"

#include <algorithm>
#include <array>
#include <cstdio>

namespace autoreload::state {

namespace {

const choice* chosen(const step& s, const number& value) {
  if (!s.choices) return nullptr;
  const auto found =
      std::find_if(s.choices->begin(), s.choices->end(), [&](const choice& c) { return c.was == value; });
  return found == s.choices->end() ? nullptr : &*found;
}

}  // namespace

bool carry_number(const step& s, const std::byte* from, std::byte* to) {
  const number value = read_number(from, s.from_format);
  if (s.what != action::choose) return write_number(value, to, s.to_format);
  const choice* const named = chosen(s, value);
  if (named == nullptr) return s.unnamed_stay && write_number(value, to, s.to_format);
  return named->is && write_number(*named->is, to, s.to_format);
}

std::string say_number(const step& s, const std::byte* from) {
  const number value = read_number(from, s.from_format);
  if (const choice* const named = s.what == action::choose ? chosen(s, value) : nullptr) return named->name;
  if (!value.floating) return (value.negative ? "-" : "") + std::to_string(value.magnitude);
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%Lg", value.real);
  return text.data();
}

}  // namespace autoreload::state
