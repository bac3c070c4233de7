// SPDX-License-Identifier: MIT
// history: the generations of one engine, and the ways from one state to the next.
//
//   (a candidate) ──publish──▶ running ──another is published──▶ kept, or retiring ──nobody is inside──▶ (unloaded)
//                                 ▲                               │
//                                 └───────────republish───────────┘
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "reload/generation.hpp"
#include "reload/memory.hpp"
#include "reload/retire/retire.hpp"

namespace autoreload {

enum class generation_state : std::uint8_t {
  running,
  kept,      ///< loaded on purpose, and may run again
  retiring,  ///< leaves when nobody is inside it any more
};

/// What is known of a generation. A value.
struct generation_record {
  std::uint64_t number;
  generation_state state;
  cause why;                                    ///< it ran last
  std::chrono::system_clock::time_point since;  ///< when it was published last
  std::string build_id;                         ///< in hexadecimal digits; empty where there is none
  std::uint64_t contents;                       ///< see contents_of
};

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
  };

  [[nodiscard]] const generation* running() const { return running_.empty() ? nullptr : &running_.front(); }
  [[nodiscard]] generation* running() { return running_.empty() ? nullptr : &running_.front(); }
  /// The number of the next new generation.
  [[nodiscard]] std::uint64_t next() const noexcept { return last_ + 1; }
  /// One that may run again, or null.
  [[nodiscard]] const generation* kept(std::uint64_t number) const;
  [[nodiscard]] const std::optional<sent_away>& refused() const noexcept { return sent_away_; }
  /// Newest first.
  [[nodiscard]] std::vector<generation_record> records() const;

  /// A new generation takes the running one's place. Its table is published already, so this can't fail: old code with
  /// callers inside must be in somebody's hands. @param keep  the running one stays loaded
  void publish(generations& next, cause why, bool keep) noexcept;
  /// One that is kept takes the running one's place, whose contents are not loaded again by the watcher until they
  /// change. The same holds.
  void republish(std::uint64_t number, sent_away instead, bool keep) noexcept;
  /// The running one leaves, and nothing takes its place.
  void close(bool keep) noexcept;

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
  void leave(generations& old, bool keep) noexcept;

  generations running_;  // one, or none
  generations kept_;
  retirer retiring_;
  std::uint64_t last_ = 0;
  std::optional<sent_away> sent_away_;
  time_point sweep_at_ = never;
  time_point waiting_since_ = never;
  std::chrono::milliseconds sweep_pause_{0};
};

}  // namespace autoreload
