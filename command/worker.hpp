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
#include "library.hpp"
#include "succession.hpp"
#include "system/unique_fd.hpp"
#include "worker_wire.hpp"

namespace autoreload::command {

struct worker_options {
  show_options show;
  bool json = false;                        ///< results are also written as JSON
  std::chrono::milliseconds limit{10'000};  ///< for loading, and for each expression
  int output = 2;                           ///< where the library's own output goes; borrowed
  std::vector<std::string> preload{};       ///< libraries that are opened before, with their symbols for all
  std::vector<local_name> locals{};         ///< those of the library, by name
  std::string library{};                    ///< as the user named it
  std::uint64_t generation = 0;
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
    refused,     ///< only while it starts: the loader's words are in `words`
    not_carried  ///< only while a successor starts: why it can't go on with what was
  };
  end is = end::good;
  std::vector<shown_result> results{};
  complaint wrong{};
  std::string words{};  ///< one sentence; of a good start what was carried over, or nothing
  std::string file{};   ///< where it crashed, as the debug information names it, or empty
  unsigned line = 0;    ///< from 1
  std::chrono::nanoseconds took{};
};

/// What it does takes as long as the library likes. Those who have nothing else to do call start() and evaluate();
/// those who have call spawn(), ask() and take(). Thread-safety: one thread at a time, in a process that has one thread
/// when spawn() is called (it forks).
class worker {
 public:
  using time_point = std::chrono::steady_clock::time_point;

  /// Forks and has the library loaded.
  /// @param path   what dlopen gets
  /// @param types  copied by the fork: expressions are checked with it there, too
  [[nodiscard]] static result<worker> start(const std::string& path, const type_table& types,
                                            const worker_options& options);
  /// The same without waiting: take() says when the library is loaded, or why it isn't.
  [[nodiscard]] static result<worker> spawn(const std::string& path, const type_table& types,
                                            const worker_options& options);
  /// The same for a build that goes on with what this worker's library remembers: in a copy of its process. This
  /// worker is as it was, whatever comes of the copy. Only when it is not busy. Waits for the copy, up to 2 s.
  /// @param next  the pipes are filled in here
  /// @return an error when the process can't be copied
  [[nodiscard]] result<worker> spawn_successor(succession next);
  worker(worker&& other) noexcept;
  worker& operator=(worker&& other) noexcept;
  ~worker();

  /// Evaluates one expression. Afterwards alive() says whether there can be another.
  [[nodiscard]] reply evaluate(const std::string& expression);
  [[nodiscard]] bool alive() const { return child_ > 0; }

  /// Has it evaluate an expression. Only when it is not busy.
  void ask(const std::string& expression);
  /// Whether take() has still to say something.
  [[nodiscard]] bool busy() const { return busy_; }
  /// Readable when take() has something to do, or when the process has ended.
  [[nodiscard]] int answers() const { return answers_.get(); }
  [[nodiscard]] int process() const { return process_.get(); }
  /// When what it does has taken too long, which take() then says.
  [[nodiscard]] time_point deadline() const { return deadline_; }
  /// What came of what was asked, or of the start; nothing as long as that goes on. Doesn't wait (up to 2 s after a
  /// crash, until the process has said where it was).
  [[nodiscard]] std::optional<reply> take() { return take(time_point::min()); }
  /// Ends what it does, and itself. @return what had come of it so far, as one that hung
  [[nodiscard]] reply stop(const std::string& why);

 private:
  struct message {
    message_kind kind;
    std::string payload;
  };
  struct pipes {
    unique_fd child_requests;
    unique_fd child_answers;
  };
  enum class filled : std::uint8_t { more, nothing, at_end };
  worker() = default;
  [[nodiscard]] result<pipes> connect();
  void begin(pid_t child);
  bool send(request_kind kind, const std::string& payload);
  std::optional<message> next_message();
  filled fill(time_point until);
  std::optional<reply> take(time_point until);
  std::optional<reply> heard(message&& next);
  reply lost(bool in_time);
  void hear_callers();
  void end() noexcept;

  pid_t child_ = -1;
  unique_fd process_;  // a pidfd: readable when the child has ended, whoever else still holds the pipes
  unique_fd requests_;
  unique_fd answers_;
  std::string buffer_;
  std::string path_;
  worker_options options_;
  std::optional<crash_record> crash_;
  bool busy_ = false;
  time_point deadline_{};
  std::string calling_;  // the function that is inside
  reply so_far_;
};

/// Why a library is not loaded. @param came  of a start that was not good; @param path  of the library
[[nodiscard]] error not_started(const reply& came, const std::string& path);

}  // namespace autoreload::command
