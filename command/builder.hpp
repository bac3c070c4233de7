// SPDX-License-Identifier: MIT
// builder: rebuilds the library when a source is saved, in a process of its own.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <autoreload/error.hpp>

#include "system/unique_fd.hpp"

namespace autoreload::command {

struct build_options {
  std::string library;
  std::string command;  ///< for a shell; empty: it is found out
  std::string directory;
  bool at_start = true;  ///< build once before anything is saved
};

/// What a build has to say.
struct build_notice {
  enum class kind : std::uint8_t {
    ready,  ///< sources are watched
    building,
    built,
    unchanged,  ///< it was built, and the library is as it was
    failed,     ///< the build
    trouble,    ///< nothing can be built
  };
  kind is = kind::trouble;
  std::string text{};     ///< one line, or more for several errors
  std::string command{};  ///< that builds
  std::string saved{};    ///< of building: the source whose saving started it
  std::optional<std::chrono::system_clock::time_point> saved_at{};
  std::string file{};  ///< of failed: where the first error is, absolute where it was found
  std::uint32_t line = 0;
  std::uint32_t column = 0;

  [[nodiscard]] bool bad() const { return is == kind::failed || is == kind::trouble; }
};

/// The rebuilder has a thread, and the program forks workers, for which it must have none: so the rebuilder gets a
/// process of its own.
class builder {
 public:
  /// Whether this program was built with the rebuilder.
  [[nodiscard]] static bool available();
  [[nodiscard]] static result<builder> start(const build_options& options);
  builder(builder&& other) noexcept;
  builder& operator=(builder&&) = delete;
  ~builder();

  /// Readable when next() has something.
  [[nodiscard]] int readable() const { return notices_.get(); }
  /// Builds as if all sources had been saved.
  void rebuild() const;
  /// Reads what is there; never waits. @return false when the process has ended
  [[nodiscard]] bool read_more();
  [[nodiscard]] std::optional<build_notice> next();

 private:
  builder() = default;

  pid_t child_ = -1;
  unique_fd notices_;
  unique_fd life_;  // closed: the process ends
  std::string buffer_;
};

}  // namespace autoreload::command
