// SPDX-License-Identifier: MIT
// builder: rebuilds the library when a source is saved, in a process of its own.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include <autoreload/error.hpp>

#include "system/unique_fd.hpp"

namespace autoreload::command {

struct build_options {
  std::string library;
  std::vector<std::string> command;  ///< words; empty: it is found out
  std::string directory;
};

/// What a build has to say.
struct build_notice {
  bool bad = false;  ///< it failed
  std::string text;  ///< one line, or more for several errors
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
  /// Reads what is there. @return false when the process has ended
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
