// SPDX-License-Identifier: MIT
// fresh_library: notices each new build of a library, and hands out a private copy of it that was found sound.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <autoreload/error.hpp>

#include "reload/snapshot/snapshot.hpp"
#include "reload/watch/change_source.hpp"

namespace autoreload::command {

/// What a look at the library's file showed.
struct look {
  enum class end : std::uint8_t {
    nothing,    ///< nothing happened, or somebody writes it
    unchanged,  ///< it is what was handed out last
    fresh,      ///< see load_path
    waiting,    ///< there is nothing complete: see why
    refused,    ///< it is not fit for the loader: see why
  };
  end is = end::nothing;
  std::shared_ptr<const snapshot> image{};  ///< its load_path is for dlopen, as long as somebody has it
  std::optional<error> why{};
  std::vector<std::string> warnings{};
  std::vector<std::string> notes{};                     ///< of the watch: that it polls, say
  std::optional<std::chrono::milliseconds> again_in{};  ///< look again then, without any event
};

/// The engine's watch, snapshot and inspect stages. Thread-safety: one thread at a time.
class fresh_library {
 public:
  /// By inotify, or by polling where that doesn't see all changes.
  explicit fresh_library(const std::string& path);

  /// Readable when look_again() has something to do, or -1.
  [[nodiscard]] int readable() const { return source_->readable(); }
  /// When it has something to do in any case.
  [[nodiscard]] std::chrono::steady_clock::time_point due() const { return source_->due(); }
  /// Looks at the file if something happened to it.
  /// @param anyway  also when nothing did
  [[nodiscard]] look look_again(bool anyway);

 private:
  [[nodiscard]] look look_at_file();
  [[nodiscard]] look look_at_copy(snapshot_outcome& taken);

  std::string path_;
  std::shared_ptr<std::vector<std::string>> notes_ = std::make_shared<std::vector<std::string>>();
  std::unique_ptr<change_source> source_;
  memory known_;
  std::unique_ptr<snapshotter> reader_;
  std::unique_ptr<writer_patience> patience_;
  std::shared_ptr<const snapshot> last_;  // what was handed out
};

}  // namespace autoreload::command
