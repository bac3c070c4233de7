// SPDX-License-Identifier: MIT
// worker: a process that has the library loaded and evaluates expressions, so that what it does to itself is no harm.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <autoreload/error.hpp>

#include "expression/show.hpp"
#include "system/unique_fd.hpp"
#include "worker_wire.hpp"

namespace autoreload::command {

struct worker_options {
  show_options show;
  bool json = false;                        ///< results are also written as JSON
  std::chrono::milliseconds limit{10'000};  ///< for loading, and for each expression
  int output = 2;                           ///< where the library's own output goes; borrowed
  std::vector<std::string> preload{};       ///< libraries that are opened before, with their symbols for all
};

/// A value that an expression has, or that it left in a new object.
struct shown_result {
  std::string name;  ///< of the parameter that got the object's address; empty for the value itself
  std::string type;
  std::string text;
  std::string json;
};

/// What came of an expression.
struct reply {
  enum class end : std::uint8_t {
    good,
    complained,  ///< see `wrong`
    crashed,     ///< and hung, and ended: the worker is gone, see `words`
    hung,
    ended,
  };
  end is = end::good;
  std::vector<shown_result> results{};
  complaint wrong{};
  std::string words{};  ///< one sentence
  std::chrono::nanoseconds took{};
};

/// Thread-safety: one thread at a time, in a process that has one thread when start() is called (it forks).
class worker {
 public:
  /// Forks and has the library loaded.
  /// @param path   what dlopen gets
  /// @param types  copied by the fork: expressions are checked with it there, too
  [[nodiscard]] static result<worker> start(const std::string& path, const type_table& types,
                                            const worker_options& options);
  worker(worker&& other) noexcept;
  worker& operator=(worker&& other) noexcept;
  ~worker();

  /// Evaluates one expression. Afterwards alive() says whether there can be another.
  [[nodiscard]] reply evaluate(const std::string& expression);
  [[nodiscard]] bool alive() const { return child_ > 0; }

 private:
  struct message {
    message_kind kind;
    std::string payload;
  };
  worker() = default;
  std::optional<message> receive(std::chrono::steady_clock::time_point deadline);
  bool fill(std::size_t size, std::chrono::steady_clock::time_point deadline);
  reply lost(reply so_far, bool in_time, const std::string& calling);
  void end() noexcept;

  pid_t child_ = -1;
  unique_fd process_;  // a pidfd: readable when the child has ended, whoever else still holds the pipes
  unique_fd requests_;
  unique_fd answers_;
  std::string buffer_;
  std::string path_;
  worker_options options_;
  std::optional<crash_record> crash_;
};

}  // namespace autoreload::command
