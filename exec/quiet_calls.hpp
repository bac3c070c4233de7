// SPDX-License-Identifier: MIT
// quiet_calls: the moment in which no thread of the program is inside a library. Calls hold no pins there: the gate
// keeps those that begin, and the threads' stacks tell who is inside still.
#pragma once

#include <chrono>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <autoreload/engine.hpp>

#include "exec/inside.hpp"

namespace autoreload::exec {

class quiet_calls final : public autoreload::detail::stillness {
 public:
  /// Closes the gate, once no search for holders is under way: one that is begun waits for this object's end.
  /// @param code          its gate has room
  /// @param handing_over  is held while it is quiet: a child that is forked then would find half of what is handed over
  /// @param open          opens the gate, at this object's end
  quiet_calls(entered_code code, gate& before, std::mutex& handing_over, std::function<void()> open);
  ~quiet_calls() override;

  /// Looks again and again. @return who was inside until the limit, in words
  [[nodiscard]] std::optional<std::string> wait(std::chrono::milliseconds limit);

 private:
  const std::unique_lock<std::mutex> turn_;
  const entered_code code_;
  std::unique_lock<std::mutex> handing_over_;
  const std::function<void()> open_;
};

/// The code of the loaded libraries that have one of these addresses, but for a part.
[[nodiscard]] holding::unseen_list<memory_range> code_at(const std::vector<std::uintptr_t>& bases, memory_range but);

}  // namespace autoreload::exec
