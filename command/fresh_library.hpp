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
#include "reload/watch/watch.hpp"

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
  std::optional<std::chrono::milliseconds> again_in{};  ///< look again then, without any event
};

/// The engine's watch, snapshot and inspect stages. Thread-safety: one thread at a time.
class fresh_library {
 public:
  /// @return an error when changes can't be watched
  [[nodiscard]] static result<fresh_library> watch(const std::string& path);

  /// Readable when look_again() has something to do.
  [[nodiscard]] int readable() const { return hub_->readable(); }
  /// Looks at the file if something happened to it.
  /// @param anyway  also when nothing did
  [[nodiscard]] look look_again(bool anyway);

 private:
  fresh_library() = default;

  std::string path_;
  std::shared_ptr<watch_hub> hub_;
  std::unique_ptr<autoreload::watch> watch_;
  std::unique_ptr<snapshotter> reader_;
  std::unique_ptr<writer_patience> patience_;
  std::shared_ptr<const snapshot> last_;  // what was handed out
};

}  // namespace autoreload::command
