// SPDX-License-Identifier: MIT
// story: a library leaves something behind, is replaced, and somebody comes back to what it left.
#pragma once

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <autoreload/autoreload.hpp>
#include <autoreload/holders.hpp>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "tests/support.hpp"

namespace story {

using autoreload::event_kind;
using autoreload::unload_policy;
using support::patience;

/// Both versions have `number`; the first one has also what a story calls by its name.
struct api {
  autoreload::required_as<"number", int()> number;
  autoreload::optional_as<"leave", void*(void*)> leave;
};

/// A pointer that no search sees: what a test keeps for itself.
template <class T>
class secret {
 public:
  secret() = default;
  explicit secret(T* pointer) : bits_(~reinterpret_cast<std::uintptr_t>(pointer)) {}
  [[nodiscard]] T* get() const { return reinterpret_cast<T*>(~bits_); }

 private:
  std::uintptr_t bits_ = ~std::uintptr_t{0};
};

/// What is played. In C; `leave` is what the first version defines beside `number`.
struct play {
  std::string library;
  std::string flags{};
  /// Calls the library's `leave` and puts what it gives where the story wants it. May keep a secret.
  std::function<void(void* (*leave)(void*))> leave{};
  /// Comes back to the old generation. @return false when it is not as it was
  std::function<bool()> come_back{};
  /// After that nobody holds it any more. Null: nobody lets go.
  std::function<void()> let_go{};
  unload_policy policy = unload_policy::all;
  std::string expected{};  ///< in the words of `retained`
};

/// A library that is replaced once.
class stage {
 public:
  stage(const std::string& source, const std::string& flags, std::shared_ptr<autoreload::unload_check> check)
      : path_(directory_ / "lib.so") {
    const std::string number = "int number(void) { return ";
    support::build_library(directory_ / "1.so", "#define _GNU_SOURCE\n" + number + "1; }\n" + source, flags);
    support::build_library(directory_ / "2.so", number + "2; }");
    std::filesystem::rename(directory_ / "1.so", path_);
    autoreload::options chosen;
    chosen.observer = [this](const autoreload::event& one) {
      if (one.kind == event_kind::retained) told_ += one.text + "\n";
      if (one.kind == event_kind::unloaded) unloaded_ = true;
    };
    chosen.unload = std::move(check);
    chosen.drive = autoreload::drive_mode::manual;
    chosen.history.generations = 0;
    library_.emplace(path_, chosen);
  }

  [[nodiscard]] autoreload::reloadable<api>& library() { return *library_; }

  /// @return whether the second version runs now
  bool replace() {
    std::filesystem::rename(directory_ / "2.so", path_);
    return until([this] { return library_->generation() == 2; });
  }

  /// Goes on as a host does, until something is so. @return whether it came to that
  bool until(const std::function<bool()>& it_is_so) {
    const auto deadline = std::chrono::steady_clock::now() + patience;
    while (!it_is_so()) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      library_->poll();
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return true;
  }

  [[nodiscard]] bool unloaded() const { return unloaded_; }
  [[nodiscard]] const std::string& told() const { return told_; }

 private:
  support::temp_directory directory_;
  std::string path_;
  bool unloaded_ = false;
  std::string told_;
  std::optional<autoreload::reloadable<api>> library_;
};

/// In a child: the end of a child that is not killed.
enum ending : int {
  good = 0,
  not_replaced = 10,
  not_told,
  told_otherwise,
  not_as_it_was,
  stays,
  unloaded_too_soon,
  thrown
};

inline void say(const std::string& text) {
  const std::string line = text + "\n";
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, line.data(), line.size());
}

/// Not inlined: the frame has a pointer into the library, and must be gone when somebody looks.
[[gnu::noinline]] inline void leave_behind(stage& here, const play& one) {
  const auto pin = here.library().pin();
  one.leave(pin->leave.unsafe_address());
}

inline int run(const play& one, bool with_policy) {
  stage here(one.library, one.flags, with_policy ? autoreload::unload_when(one.policy) : nullptr);
  leave_behind(here, one);
  if (!here.replace()) return not_replaced;
  if (!with_policy) {
    if (!here.until([&] { return here.unloaded(); })) return stays;
    (void)one.come_back();
    return good;
  }
  if (!here.until([&] { return !here.told().empty() || here.unloaded(); })) return not_told;
  if (here.unloaded()) return unloaded_too_soon;
  if (here.told().find(one.expected) == std::string::npos) {
    say("told: " + here.told());
    return told_otherwise;
  }
  if (!one.come_back()) return not_as_it_was;
  if (!one.let_go) return good;
  one.let_go();
  if (here.until([&] { return here.unloaded(); })) return good;
  say("told: " + here.told());
  return stays;
}

inline int in_child(const std::function<int()>& work) {
  const pid_t child = fork();
  if (child == 0) {
    int status = thrown;
    try {
      status = work();
    } catch (const std::exception& failure) {
      say(failure.what());
    }
    _exit(status);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return status;
}

/// Plays it without the policy, where the child must crash, and with it, where it must not.
inline void expect(const play& one, bool crashes = true) {
  const int without = in_child([&] { return run(one, false); });
  if (crashes) {
    EXPECT_TRUE(WIFSIGNALED(without)) << "without the policy it ended with status " << without;
  }
  const int with = in_child([&] { return run(one, true); });
  EXPECT_TRUE(WIFEXITED(with) && WEXITSTATUS(with) == good)
      << "with the policy: status " << with << ", exit " << WEXITSTATUS(with);
}

}  // namespace story
