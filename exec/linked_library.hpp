// SPDX-License-Identifier: MIT
// linked_library: a library of the program's, whose stand-in leads to the newest build.
//
// SHARED  - the builds, the newest published one and the names of spare slots: read by dlsym on the program's threads,
//           written by the engine's thread and by dlsym, under a mutex.
//         - the stand-in's table: see standin_format.hpp.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <autoreload/engine.hpp>

#include "exec/copy_plan.hpp"
#include "exec/gate.hpp"
#include "exec/loaded_standin.hpp"
#include "exec/program_guard.hpp"
#include "exec/program_state.hpp"
#include "exec/program_thread.hpp"

namespace autoreload::exec {

class linked_library final : public autoreload::detail::linked_host {
 public:
  struct settings {
    bool trial = false;     ///< each build is loaded in a helper process first
    bool keep_old = false;  ///< old builds are never unloaded
    bool state = false;     ///< `adapt` has its own variables carried from each build to the next
    std::string at{};       ///< newer builds are taken over when this function is called; empty: at once
    /// Gives the engine what is optional, before it is made.
    std::function<void(options&, linked_library&)> adapt{};
    std::function<void(const event&)> observer{};  ///< empty: what happens is said (journal.hpp)
  };
  /// Makes an engine, which looks at the file at once. @param loading  lives as long as this
  /// @return why there can be none
  static result<std::unique_ptr<linked_library>> watch(loaded_standin where, program_thread& loading,
                                                       const settings& how);

  [[nodiscard]] std::string has(std::span<const std::byte> bytes) override;
  [[nodiscard]] result<std::vector<autoreload::detail::copy_edit>> edits(std::span<const std::byte> bytes) override;
  [[nodiscard]] result<std::unique_ptr<autoreload::detail::erased_module>> load(const char* path, int flags) override;
  [[nodiscard]] result<std::unique_ptr<autoreload::detail::stillness>> be_still(
      std::chrono::milliseconds limit) override;

  /// A function that the stand-in's build did not have and the newest one has: a stub that leads there from now on.
  /// @return null: there is none, or no stub is left. Any thread.
  [[nodiscard]] void* newer_function(const char* name);
  /// Whether the stand-in itself answers for a name. Any thread.
  [[nodiscard]] bool standin_has(const std::string& name) const { return facts_.has(name); }
  /// No newer build is taken any more. Any thread.
  void stop() { engine_->hold(); }
  /// Around a fork, for the child: it finds all as it is between two handovers.
  void lock() {
    handing_over_.lock();
    mutex_.lock();
  }
  void unlock() {
    mutex_.unlock();
    handing_over_.unlock();
  }
  /// In the child, after unlock(): nobody else opens its gate.
  void open_gate_of_child();
  [[nodiscard]] const loaded_standin& standin() const { return where_; }
  /// The exported variables, which all builds share. Any thread.
  [[nodiscard]] shared_variables shared() const;
  /// What the program may know of the build that it started with. Any thread.
  [[nodiscard]] std::vector<exported_name> exports() const;

 private:
  using functions = std::map<symbol_key, exported_symbol>;
  // The engine knows a build by this record's address. Nobody but the stand-in has the table's: who looks for those who
  // may come back to the build would find our books.
  struct build {
    functions exported;
    std::uintptr_t base = 0;  // 0: the stand-in's own
    std::uint64_t bytes = 0;
    std::uintptr_t inverted_table = 0;
    std::string stays;  // why it is never unloaded, or empty

    [[nodiscard]] void** table() const { return reinterpret_cast<void**>(~inverted_table); }
  };
  class loaded_build;

  linked_library(loaded_standin where, standin_facts facts, program_thread& loading,
                 std::function<void(const event&)> observer);
  void take_over();
  [[nodiscard]] build first_build() const;
  void open_gate();
  [[nodiscard]] std::vector<std::uintptr_t> bases();
  build& remember(build made);
  void forget(const build* gone);
  std::optional<held_image> leaving(const held_image& known);
  void* variable(const exported_symbol& symbol) const;
  [[nodiscard]] std::optional<error> too_many() const;
  // Where stubs lead: linked_tables.cpp.
  [[nodiscard]] std::string key_name(std::uint32_t slot) const;
  [[nodiscard]] const exported_symbol* function_of(std::uint32_t slot, const functions& in) const;
  [[nodiscard]] static void* target_of(const build& in, const exported_symbol& function);
  // @return the names that it lacks
  std::vector<std::string> fill_table(const build& into);
  // Taking over at a chosen call: linked_boundary.cpp.
  void set_boundary(const std::string& function);
  void lead_over_at_boundary();
  void lead_boundary(const build& one, bool to_notice);
  void arm_boundary();
  void disarm_boundary();
  void attend_boundary();
  // What is told: linked_words.cpp.
  void observe(const event& happened);
  void count(const event& happened);
  void tell(const event& happened);
  void remark(const std::string& text);
  [[nodiscard]] std::uint64_t kept_bytes() const;
  void say_what_changed(const std::vector<std::string>& gone, const build& made);
  void say_what_is_lost();

  const loaded_standin where_;
  const standin_facts facts_;
  program_thread& loading_;
  autoreload::detail::published current_;
  std::optional<copy_plan> planned_;  // of the build that is about to be loaded
  std::uint64_t planned_bytes_ = 0;
  std::map<std::uint64_t, std::uint64_t> kept_;  // bytes of each generation that is loaded, by its number
  std::string told_stays_;
  const std::function<void(const event&)> observer_;
  std::vector<std::string> remarks_;  // for the observer, of the build that is about to be loaded
  bool tells_what_is_lost_ = false;   // once, as its own variables start anew
  std::string boundary_;              // the function whose call takes a newer build over; empty: none
  void* first_boundary_ = nullptr;    // where the stand-in's own is
  bool carries_ = false;              // its own variables
  // Under mutex_:
  bool armed_ = false;     // a call of the boundary closes the gate
  bool attended_ = false;  // there is a thread that waits for that
  bool still_ = false;     // the engine's thread has the quiet moment, or looks for it

  gate gate_{*where_.header};
  std::mutex handing_over_;  // held while variables are on their way to the next build; taken before the next one
  std::mutex mutex_;
  std::vector<std::unique_ptr<build>> builds_;
  std::vector<std::string> added_;  // names of the slots behind those that have one
  const build* newest_ = nullptr;
  std::unique_ptr<autoreload::detail::engine> engine_;  // the last member: it calls the others
};

}  // namespace autoreload::exec
