// SPDX-License-Identifier: MIT
// linked: the program starts itself anew, with stand-ins in front of its libraries, and is its own agent.
//
// A start of its own, and no change of what is loaded already: only so is no file mapped that builds write over, and
// every address that the program or a constructor takes of a function is a stub's.
//
// SHARED  the observer, called on the engines' thread and taken away by the owner's, under a mutex. Engines and
//         libraries stay for ever: calls may be on their way through the stubs until the process ends.
#include <autoreload/linked.hpp>

#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <mutex>
#include <string_view>
#include <utility>

#include "exec/agent_orders.hpp"
#include "exec/gate.hpp"
#include "exec/launch.hpp"
#include "exec/linked_library.hpp"
#include "exec/loaded_standin.hpp"
#include "exec/program_thread.hpp"
#include "exec/words.hpp"

namespace autoreload {

using namespace exec;

struct linked_libraries::watching {
  struct listener {
    std::mutex mutex;
    std::function<void(const event&)> observer;

    void hear(const event& happened) {
      const std::lock_guard lock(mutex);
      try {
        if (observer) observer(happened);
      } catch (...) {  // nobody is there to whom it could go, on the engines' thread
      }
    }
  };

  std::shared_ptr<listener> heard = std::make_shared<listener>();
  std::vector<linked_library*> libraries;
  pid_t process = getpid();

  watching() = default;
  watching(const watching&) = delete;
  watching& operator=(const watching&) = delete;
  ~watching() {
    if (process != getpid()) return;  // a forked child: nothing runs here, and locks may be held for ever
    {
      const std::lock_guard lock(heard->mutex);
      heard->observer = nullptr;
    }
    for (linked_library* const one : libraries) one->stop();
  }
};

linked_libraries::linked_libraries() noexcept = default;
linked_libraries::linked_libraries(linked_libraries&& other) noexcept = default;
linked_libraries& linked_libraries::operator=(linked_libraries&& other) noexcept = default;
linked_libraries::~linked_libraries() = default;

namespace {

// The process, a colon and the directory with the orders: a child that inherits it is another process.
constexpr const char* const variable = "AUTORELOAD_LINKED";

error refuse(const std::string& reason, const std::string& advice) {
  return error(stage::use, {}, reason).advise(advice);
}

std::string directory_of_this_start() {
  const char* const value = std::getenv(variable);
  const std::string own = std::to_string(getpid()) + ":";
  if (value == nullptr || !std::string_view(value).starts_with(own)) return {};
  return value + own.size();
}

std::string own_file() {
  std::array<char, PATH_MAX> self{};
  return readlink("/proc/self/exe", self.data(), self.size() - 1) > 0 ? self.data() : std::string();
}

void remove(const std::string& directory) {
  std::error_code ignored;
  std::filesystem::remove_all(directory, ignored);
}

error no_library(const launch_plan& plan) {
  error none = refuse("none of the libraries that this program is linked with is reloaded",
                      "link it with a shared library that no package manager looks after, or name one that it needs");
  std::string words;
  for (const std::string& text : plan.remarks) words += (words.empty() ? "" : "\n") + text;
  if (!words.empty()) none.system(words);
  return none;
}

// Returns only if it can't be.
error start_anew(char** argv, const linked_options& options) {
  launch_wish wish{.words = {own_file()}, .libraries = options.libraries, .variable = variable};
  for (char** word = argv; *word != nullptr; ++word) {
    if (word != argv) wish.words.emplace_back(*word);
  }
  result<launch_plan> plan = plan_launch(wish);
  if (!plan) return plan.error();
  error failed = no_library(*plan);
  if (!plan->taken.empty()) {
    if (*argv != nullptr) plan->words[0] = *argv;
    const std::vector<char*> words = pointers(plan->words);
    const std::vector<char*> environment = pointers(plan->environment);
    execve(plan->path.c_str(), words.data(), environment.data());
    failed = error(stage::use, plan->path, "the program can't be started anew").system(std::strerror(errno));
  }
  remove(plan->directory);
  return failed;
}

struct standing {
  std::string directory;
  pid_t process = getpid();
  program_thread loading;  // not started: what a constructor opens is the program's here, too
  std::vector<std::unique_ptr<linked_library>> libraries;
};

standing* the_standing = nullptr;

void remove_directory() {
  if (the_standing->process == getpid()) remove(the_standing->directory);
}

}  // namespace

namespace detail {

struct linked_start {
  static result<linked_libraries> run(const std::string& directory, const linked_options& options) {
    result<agent_orders> orders = read_orders(directory);
    if (!orders) return orders.error();
    restore_environment(*orders, variable);
    std::vector<loaded_standin> found = standins_at_start();
    if (found.empty()) {
      remove(directory);
      return refuse("the dynamic loader took no stand-in for this program's libraries",
                    "start the program without rights that its user doesn't have");
    }
    the_standing = new standing;  // for ever
    the_standing->directory = directory;
    std::atexit(&remove_directory);
    linked_libraries made;
    made.remarks_ = std::move(orders->remarks);
    made.watching_ = std::make_unique<linked_libraries::watching>();
    made.watching_->heard->observer = options.observer;
    for (loaded_standin& one : found) watch(std::move(one), options, made);
    return made;
  }

  static void watch(loaded_standin found, const linked_options& options, linked_libraries& made) {
    const std::string path = found.header->path;
    found.header->notice.store(&autoreload_exec_notice, std::memory_order_release);
    auto watched = linked_library::watch(
        std::move(found), the_standing->loading,
        {.trial = options.trial,
         .keep_old = options.keep_old,
         .observer = [heard = made.watching_->heard](const event& happened) { heard->hear(happened); }});
    if (!watched) {
      made.remarks_.push_back("\"" + path + "\" is not reloaded: " + watched.error().what());
      return;
    }
    made.paths_.push_back(path);
    made.watching_->libraries.push_back(watched->get());
    the_standing->libraries.push_back(*std::move(watched));
  }
};

}  // namespace detail

result<linked_libraries> reload_linked_libraries(char** argv, const linked_options& options) {
  static std::atomic<bool> called{false};
  if (called.exchange(true)) return refuse("the program's libraries are looked after already", "call it once");
  if (const std::string directory = directory_of_this_start(); !directory.empty()) {
    return detail::linked_start::run(directory, options);
  }
  if (!standins_at_start().empty()) {
    return refuse("`autoreload exec` reloads this program's libraries", "start the program without it");
  }
  return start_anew(argv, options);
}

}  // namespace autoreload
