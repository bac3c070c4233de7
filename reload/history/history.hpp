// SPDX-License-Identifier: MIT
// history: the generations of one engine, and the ways from one state to the next.
//
//   (a candidate) ──publish──▶ running ──another is published──▶ kept ──enough newer ones──▶ retiring ──nobody
//   inside──▶
//                                 ▲                               │                             │ stored
//                                 └───────────republish───────────┴─────────────────────────────┘
//   From each state but the last a guarded call's crash leads to quarantined, from which nothing leads away. Of a
//   stored one a new generation is loaded.
#pragma once

#include <autoreload/history.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "reload/generation.hpp"
#include "reload/memory.hpp"
#include "reload/retire/retire.hpp"

namespace autoreload {

/// A digest of what the loader maps of a library, as the file had it. Reads all of that.
[[nodiscard]] std::uint64_t contents_of(const generation& one);
[[nodiscard]] std::uint64_t contents_of(std::span<const std::byte> file, const elf_facts& facts);

/// Not thread-safe: the engine's pipeline owns it.
class history {
 public:
  /// A build that ran and had to give way to an older one. The watcher doesn't load it again.
  struct sent_away {
    std::uint64_t contents;
    std::uint64_t needs_state;  ///< see memory::needed_state
    error why;
    bool for_good = false;  ///< it is quarantined: reload() doesn't load it either
  };

  /// @param keep_all  nothing is ever unloaded
  /// @param stuck_after  see options
  /// @param unload  see options
  history(const history_policy& policy, bool keep_all, std::chrono::milliseconds stuck_after,
          std::shared_ptr<unload_check> unload)
      : policy_(policy), keep_all_(keep_all), stuck_after_(stuck_after), retiring_(std::move(unload)) {}

  [[nodiscard]] const generation* running() const { return running_.empty() ? nullptr : &running_.front(); }
  [[nodiscard]] generation* running() { return running_.empty() ? nullptr : &running_.front(); }
  /// The number of the next new generation.
  [[nodiscard]] std::uint64_t next() const noexcept { return last_ + 1; }
  /// One that is loaded and may run again, or null.
  [[nodiscard]] const generation* loaded(std::uint64_t number) const;
  /// The running one, or one that is loaded, or null.
  [[nodiscard]] generation* find_loaded(std::uint64_t number);
  /// One of which a new generation may be loaded, or null.
  [[nodiscard]] const generation* stored(std::uint64_t number) const;
  [[nodiscard]] bool is_quarantined(std::uint64_t number) const;
  /// The one to go back to from the running one: that left last and was not sent away, or 0.
  [[nodiscard]] std::uint64_t last_good() const;
  /// Why a build with these contents is not to be loaded, or null. @param on_request  what is quarantined alone counts
  [[nodiscard]] const error* refuses(std::uint64_t contents, std::uint64_t needs_state, bool on_request) const;
  /// Whether there is any such build: else there's no need to know a new one's digest.
  [[nodiscard]] bool refuses_any() const noexcept { return !sent_away_.empty(); }
  /// Newest first.
  [[nodiscard]] std::vector<generation_record> records() const;

  /// A new generation takes the running one's place. Its table is published already, so this can't fail: old code with
  /// callers inside must be in somebody's hands.
  /// @param went  why the running one runs no more
  void publish(generations& next, cause why, std::string went) noexcept;
  /// One that is loaded takes the running one's place. The same holds.
  void republish(std::uint64_t number, std::string went) noexcept;
  /// The watcher doesn't load these contents again until another build was loaded.
  void send_away(std::uint64_t number, sent_away build);
  /// From now on these contents may be loaded.
  void welcome(std::uint64_t contents);
  /// Another build is news: what was sent away before may come back by a new decision.
  void forget_sent_away();
  /// Nothing goes back to it but by its number.
  void mark_bad(std::uint64_t number) noexcept;
  /// Gives up one that is stored.
  void drop(std::uint64_t number);
  /// A generation that is loaded stays so for good. One that is running does until another takes its place.
  /// @param went  why; it is kept. @return whether it was there and was not quarantined before
  bool quarantine(std::uint64_t number, std::string went) noexcept;
  /// Keeps a generation loaded when another takes its place, until another number or 0 is given.
  void protect(std::uint64_t number) noexcept;
  /// Whether the running one stays though new builds come.
  void hold(bool yes) noexcept { held_ = yes; }
  [[nodiscard]] bool is_held() const noexcept { return held_; }
  /// The running one leaves, and nothing takes its place.
  void close() noexcept;

  /// Unloads what nobody is inside of. @return what became of which
  [[nodiscard]] std::vector<retirement> sweep(time_point now);
  /// When sweep() is worth a call.
  [[nodiscard]] time_point due() const noexcept { return sweep_at_; }
  /// At once first, for calls are short; then rarer and rarer, for what is held for minutes may be held for hours.
  /// @param last    the pause before the last look
  /// @param waited  since the newest began to retire
  [[nodiscard]] static std::chrono::milliseconds pause_after(std::chrono::milliseconds last,
                                                             std::chrono::milliseconds waited);

 private:
  void leave(generations& old) noexcept;
  void retire_surplus() noexcept;
  void store(generations& unloaded);

  const history_policy policy_;
  const bool keep_all_;
  const std::chrono::milliseconds stuck_after_;
  generations running_;      // one, or none
  generations kept_;         // in the order in which they left, as all that follow
  generations quarantined_;  // but one that runs on, as there is no other
  retirer retiring_;
  generations stored_;  // without modules
  std::uint64_t last_ = 0;
  std::uint64_t protected_ = 0;
  bool held_ = false;
  std::vector<sent_away> sent_away_;
  time_point sweep_at_ = never;
  time_point waiting_since_ = never;
  std::chrono::milliseconds sweep_pause_{0};
};

}  // namespace autoreload
