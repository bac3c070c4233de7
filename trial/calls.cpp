// SPDX-License-Identifier: MIT
// calls: numbers to registers, and back.
#include "trial/calls.hpp"

#include <algorithm>
#include <cstddef>

namespace autoreload {
namespace {

using type = call_value::type;

constexpr std::size_t most_named = 8;  // of the calls that differ

bool is_floating(const call_value& value) { return value.is == type::single || value.is == type::real; }

// What the function's type says of the register that it came in.
call_value answer_of(const recorded_call& call, const trial_call& made) {
  call_value answer = call.result;
  if (answer.is == type::none) return answer;
  const unsigned unused = 64 - 8U * answer.size;
  if (answer.is == type::signed_integer) {
    answer.bits = static_cast<std::uint64_t>(static_cast<std::int64_t>(made.result << unused) >> unused);
  } else {
    answer.bits = made.result << unused >> unused;
  }
  return answer;
}

std::string words_for(const recorded_call& call, const trial_call& before, const trial_call& after) {
  const std::string name = to_string(call);
  if (after.answered == 0) return name + " is gone";
  if (before.answered == 0) return name + " is new";
  return name + " = " + to_string(answer_of(call, after)) + ", was " + to_string(answer_of(call, before));
}

}  // namespace

bool can_repeat_calls() noexcept {
#if defined(__x86_64__) || defined(__aarch64__)
  return sizeof(void*) == 8;
#else
  return false;
#endif
}

std::vector<std::string> functions_of(std::span<const recorded_call> calls) {
  std::vector<std::string> names;
  for (const recorded_call& call : calls) names.emplace_back(call.symbol);
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

void write_calls(std::span<const recorded_call> calls, std::span<const std::string> functions, trial_call* into) {
  for (const recorded_call& call : calls) {
    trial_call& one = *into++;
    one = {};
    const auto symbol = std::lower_bound(functions.begin(), functions.end(), call.symbol);
    one.symbol = static_cast<std::uint32_t>(symbol - functions.begin());
    if (call.result.is != type::none) {
      one.returns = is_floating(call.result) ? trial_returns_real : trial_returns_integer;
    }
    std::size_t integers = 0;
    std::size_t reals = 0;
    for (std::size_t i = 0; i < call.count; ++i) {
      const call_value& value = call.arguments[i];
      (is_floating(value) ? one.reals[reals++] : one.integers[integers++]) = value.bits;
    }
  }
}

std::string differences(std::span<const recorded_call> calls, const trial_call* before, const trial_call* after) {
  std::string listed;
  std::size_t count = 0;
  for (std::size_t i = 0; i < calls.size(); ++i) {
    const bool same = before[i].answered == after[i].answered &&
                      (before[i].answered == 0 || answer_of(calls[i], before[i]) == answer_of(calls[i], after[i]));
    if (same || ++count > most_named) continue;
    listed += (count > 1 ? "; " : "") + words_for(calls[i], before[i], after[i]);
  }
  if (count == 0) return {};
  if (count > most_named) listed += "; and " + std::to_string(count - most_named) + " more";
  return std::to_string(count) + " of " + std::to_string(calls.size()) +
         " recorded calls are answered otherwise than by the running generation: " + listed;
}

}  // namespace autoreload
