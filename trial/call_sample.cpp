// SPDX-License-Identifier: MIT
// call_sample: keeps calls, and writes them as C does.
//
// Which ones are kept is chosen by J. S. Vitter's algorithm R ("Random Sampling with a Reservoir", 1985).
#include <autoreload/call_sample.hpp>

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>

namespace autoreload {
namespace {

constexpr std::size_t largest = 4096;

// The shortest that is read as the same number.
std::string shortest(double number, bool single) {
  std::array<char, 40> text{};
  for (int digits = 1; digits <= 17; ++digits) {
    std::snprintf(text.data(), text.size(), "%.*g", digits, number);
    const double again = std::strtod(text.data(), nullptr);
    if (single ? static_cast<float>(again) == static_cast<float>(number) : again == number) break;
  }
  return text.data();
}

}  // namespace

std::string to_string(const call_value& value) {
  switch (value.is) {
    case call_value::type::none: return "";
    case call_value::type::boolean: return value.bits != 0 ? "true" : "false";
    case call_value::type::signed_integer: return std::to_string(static_cast<std::int64_t>(value.bits));
    case call_value::type::unsigned_integer: return std::to_string(value.bits);
    case call_value::type::single:
      return shortest(double{std::bit_cast<float>(static_cast<std::uint32_t>(value.bits))}, true);
    case call_value::type::real: return shortest(std::bit_cast<double>(value.bits), false);
  }
  return "";
}

std::string to_string(const recorded_call& call) {
  std::string text = std::string(call.symbol) + "(";
  for (std::size_t i = 0; i < call.count; ++i) text += (i > 0 ? ", " : "") + to_string(call.arguments[i]);
  return text + ")";
}

call_sample::call_sample(std::size_t most) : most_(std::min(most, largest)) { sampled_.reserve(most_); }

void call_sample::add(const recorded_call& call) {
  const std::lock_guard lock(mutex_);
  if (chosen_.size() < largest) chosen_.push_back({seen_++, call});
}

void call_sample::note(const recorded_call& call) noexcept {
  const std::unique_lock lock(mutex_, std::try_to_lock);
  if (!lock.owns_lock() || most_ == 0) return;
  const std::uint64_t order = seen_++;
  if (sampled_.size() < most_) {
    sampled_.push_back({order, call});  // there is room: see the constructor
    return;
  }
  random_ ^= random_ << 13;  // Marsaglia's xorshift
  random_ ^= random_ >> 7;
  random_ ^= random_ << 17;
  const std::uint64_t at = random_ % (order + 1);
  if (at < most_) sampled_[at] = {order, call};
}

std::vector<recorded_call> call_sample::calls() const {
  std::vector<kept> all;
  {
    const std::lock_guard lock(mutex_);
    all = chosen_;
    all.insert(all.end(), sampled_.begin(), sampled_.end());
  }
  std::sort(all.begin(), all.end(), [](const kept& a, const kept& b) { return a.order < b.order; });
  std::vector<recorded_call> once;
  for (const kept& one : all) {
    if (std::find(once.begin(), once.end(), one.call) == once.end()) once.push_back(one.call);
  }
  return once;
}

}  // namespace autoreload
