// SPDX-License-Identifier: MIT
// going_back: what is asked of an engine's history: an older generation runs again, a new one waits, or is good.
//
// It is made for one request and has no state. Whoever makes it keeps the engine alive meanwhile.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "reload/engine_core.hpp"

namespace autoreload::detail {

class going_back {
 public:
  explicit going_back(engine_core& core) : core_(core) {}

  /// Lets an older generation run again. The watcher doesn't load what gave way until its contents change.
  result<void> activate(std::uint64_t number);
  result<void> roll_back();
  result<void> reject(const std::string& reason);
  result<void> approve();
  void hold();
  void release();
  /// A guarded call ended in the generation with this table: it is quarantined, and the last good one runs.
  /// @param keep  whether that could not be done, so that the pin must never be dropped
  [[nodiscard]] error ended(const landing& call, const void* table, bool& keep);
  /// By who works on the engine. There is a probation.
  void end_probation_if_due();

 private:
  [[nodiscard]] result<void> change_now(const std::function<result<void>()>& act);
  [[nodiscard]] result<void> answer_request(const std::function<result<void>()>& act);
  [[nodiscard]] result<void> leave_for_last_good(const std::string& why);
  [[nodiscard]] result<void> go_back(std::uint64_t number, const std::string& why, start how);
  [[nodiscard]] std::optional<setback> load_again(const generation& old, engine_core::change how, start from,
                                                  std::shared_ptr<const state_report>& kept);
  void leave_the_running_one();
  void end_probation(const std::string& why);

  engine_core& core_;
};

}  // namespace autoreload::detail
