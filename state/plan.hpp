// SPDX-License-Identifier: MIT
// plan: one handover, worked out ahead: for each variable its steps, and what there is to say of it.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <autoreload/automatic_state.hpp>

#include "state/initial.hpp"
#include "state/locks.hpp"
#include "state/match.hpp"
#include "state/move.hpp"
#include "state/program.hpp"
#include "state/reach.hpp"
#include "state/remarks.hpp"
#include "state/side.hpp"
#include "state/translate.hpp"

namespace autoreload::state {

/// A variable that has a place in both builds.
struct carried {
  matches::pair variable;
  program how;
  std::vector<edited> edits;  ///< parts that keep their new initial values
  bool whole = true;          ///< both are in one piece: the steps run on their memory
};

/// What is said only once for each library, however often it is reloaded. Any thread.
class said_once {
 public:
  /// @return whether it had not been said
  [[nodiscard]] bool first(const std::string& path, const std::string& text) {
    const std::lock_guard lock(mutex_);
    return said_.emplace(path, text).second;
  }

 private:
  std::mutex mutex_;
  std::set<std::pair<std::string, std::string>> said_;
};

class plan final : public state_plan {
 public:
  /// @param path  the library as the user named it
  /// @param once  lives longer than the plan
  plan(std::string path, side was, side is, const state_options& options, said_once& once);

  [[nodiscard]] result<state_report> carry() override;
  void undo() noexcept override;
  [[nodiscard]] std::optional<std::uintptr_t> whereabouts(std::uintptr_t old) override;
  [[nodiscard]] std::function<void()> farewell() override;

 private:
  void add(const matches::pair& p, const state_options& options);
  // Why a variable of the new build can't be given a value, or nothing.
  [[nodiscard]] std::string why_not(const matches::pair& p) const;
  [[nodiscard]] bool is_writable(const types::variable& v) const;
  void say_once(const types::variable& v, const std::string& why);
  [[nodiscard]] std::optional<error> held_lock() const;
  void look_around(reach& heap);
  [[nodiscard]] std::uint64_t length_at(const types::variable& of, std::uint64_t offset,
                                        const number_format& format) const;
  [[nodiscard]] std::optional<std::uint64_t> length_beside(const types::variable& pointer) const;
  std::uint64_t resolve_pointer(std::uint64_t pointer, const step& s, const mover& moved, remarks& said);
  void run_all(const resolve& pointers, remarks& said);
  void tell_edits(const carried& c, remarks& said) const;

  std::string path_;
  side was_;
  side is_;
  matches matches_;
  std::unique_ptr<translator> places_;
  std::vector<carried> carried_;
  std::vector<lock> locks_;
  std::vector<patch> written_;  // to objects of the heap that stay where they are; `was` is inverted
  std::unique_ptr<mover> moved_;
  remarks known_;
  said_once& once_;
  std::size_t variables_ = 0;
  std::size_t kept_ = 0;
  bool needs_old_ = false;
};

}  // namespace autoreload::state
