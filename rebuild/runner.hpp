// SPDX-License-Identifier: MIT
// runner: runs one command at a time in a process of its own that leaves nothing of it behind.
//
// DESIGN  host ──socket──▶ supervisor (rebuild/supervisor.c, from memory) ──▶ the command and all that it starts
//
// The supervisor is started once, so that a build starts in a fraction of a millisecond, whatever the host's size. It
// is no child of the host: the host's wait() and SIGCHLD never meet it. It notices the host's end by a pidfd and by its
// socket, and then kills the build.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <autoreload/error.hpp>

#include "rebuild/output.hpp"
#include "system/unique_fd.hpp"

namespace autoreload::building {

using clock = std::chrono::steady_clock;

/// What to run.
struct command {
  std::vector<std::string> words;        ///< the program, found by PATH when it has no slash, and its arguments
  std::string directory;                 ///< absolute
  std::vector<std::string> environment;  ///< `NAME=value`
};

/// How a command ended.
struct ending {
  int status = 0;       ///< as waitpid has it
  int start_error = 0;  ///< errno: it did not start
  clock::time_point started;
  clock::time_point ended;
  unsigned left = 0;              ///< processes that it left behind
  bool immortal = false;          ///< whether one of these could not be ended
  std::uint64_t output_size = 0;  ///< bytes
  std::string output;             ///< bounded

  [[nodiscard]] bool succeeded() const noexcept { return start_error == 0 && status == 0; }
};

/// Thread-safety: one thread at a time. Its end stops what runs, and waits until that is gone.
class runner {
 public:
  /// @param output_limit  bytes of a command's output to keep
  [[nodiscard]] static result<runner> make(std::size_t output_limit);
  runner(runner&&) noexcept = default;
  runner& operator=(runner&&) = delete;
  ~runner();

  /// Starts a command. It reads nothing (/dev/null), has no terminal, and prints into a pipe.
  /// @pre nothing runs
  /// @param output_limit  bytes of its output to keep, if not as many as make() was told
  [[nodiscard]] result<void> start(const command& what, std::size_t output_limit = 0);
  /// Ends it: it is asked to, and after `grace` killed with all that it has started. advance() says when it has ended.
  void stop(std::chrono::milliseconds grace = std::chrono::milliseconds{500});

  [[nodiscard]] bool running() const noexcept { return running_; }
  /// Bytes that it has printed up to now.
  [[nodiscard]] std::uint64_t printed() const noexcept { return output_.size(); }

  /// Readable when advance() has something to do; negative ones are to be passed over.
  [[nodiscard]] std::array<int, 2> readable() const noexcept { return {control_.get(), pipe_.get()}; }
  /// Takes what is there, never blocks. @return how the command ended, when it just has
  [[nodiscard]] std::optional<ending> advance();
  /// The same, but waits until it has ended.
  [[nodiscard]] ending wait();

 private:
  explicit runner(unique_fd control, std::size_t output_limit)
      : output_limit_(output_limit), output_(output_limit), control_(std::move(control)) {}
  void read_output();
  ending finish();

  std::size_t output_limit_;
  bounded_output output_;
  unique_fd control_;
  unique_fd pipe_;
  bool running_ = false;
  ending now_;
};

}  // namespace autoreload::building
