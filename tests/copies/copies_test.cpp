// SPDX-License-Identifier: MIT
// copies_test: a host and a plugin that each have a static copy of autoreload, and export nothing to each other.
#include <dirent.h>
#include <dlfcn.h>
#include <gtest/gtest.h>
#include <sys/syscall.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <thread>

#include "../in_a_child.hpp"
#include "../support.hpp"
#include "shared.hpp"

namespace {

using autoreload::event_kind;
using autoreload::event_queue;
using support::in_a_child;
using support::patience;

class opened {
 public:
  explicit opened(const char* which) : handle_(dlopen(std::getenv(which), RTLD_NOW | RTLD_LOCAL)) {
    if (handle_ == nullptr) throw std::runtime_error(dlerror());
  }
  opened(const opened&) = delete;
  opened& operator=(const opened&) = delete;
  ~opened() { close(); }
  void close() {
    if (void* const handle = std::exchange(handle_, nullptr)) dlclose(handle);
  }
  const plugin* operator->() const { return static_cast<const plugin*>(dlsym(handle_, "the_plugin")); }

 private:
  void* handle_;
};

struct subject {
  support::temp_directory directory;
  std::string path = directory / "lib.so";
  event_queue events;
  autoreload::options chosen;

  subject() {
    for (const int i : {1, 2}) {
      support::build_library(directory / (std::to_string(i) + ".so"),
                             "int number(void) { return " + std::to_string(i) +
                                 "; } int visit(void (*f)(void*), void* a) { f(a); return number(); }");
    }
    std::filesystem::rename(directory / "1.so", path);
    chosen.observer = events.observer();
  }
  void next() const { std::filesystem::rename(directory / "2.so", path); }
};

TEST(Copies, TheHostSeesThatAPluginIsInsideACall) {
  in_a_child([]() -> std::string {
    subject it;
    library lib(it.path, it.chosen);
    const opened other("COPIES_PLUGIN");
    struct {
      std::promise<void> entered, leave;
    } gate;
    std::future<int> number = std::async(std::launch::async, [&] {
      return other->stay(
          lib,
          [](void* argument) {
            auto& here = *static_cast<decltype(gate)*>(argument);
            here.entered.set_value();
            here.leave.get_future().wait();
          },
          &gate);
    });
    gate.entered.get_future().wait();
    it.next();
    const auto stays = it.events.next(event_kind::retained, patience);
    gate.leave.set_value();
    if (!stays || stays->generation != 1) return "the old generation was not held";
    if (number.get() != 1) return "the call came back from elsewhere";
    const auto gone = it.events.next(event_kind::unloaded, patience);
    if (!gone || gone->generation != 1) return "the old generation did not leave";
    return other->call(lib) == 2 ? "" : "the plugin calls the old one";
  });
}

TEST(Copies, AThreadMayOutliveThePluginByWhichItCalled) {
  in_a_child([]() -> std::string {
    subject it;
    library lib(it.path, it.chosen);
    opened other("COPIES_PLUGIN");
    std::promise<void> called;
    std::promise<void> end;
    std::thread thread([&] {
      (void)other->call(lib);
      called.set_value();
      end.get_future().wait();
    });
    called.get_future().wait();
    other.close();
    if (dlopen(std::getenv("COPIES_PLUGIN"), RTLD_NOW | RTLD_NOLOAD) != nullptr) return "the plugin was not unloaded";
    end.set_value();
    thread.join();
    it.next();
    return it.events.next(event_kind::unloaded, patience) ? "" : "the old generation did not leave";
  });
}

TEST(Copies, APluginThatComesAgainFindsTheListAgain) {
  in_a_child([]() -> std::string {
    subject it;
    library lib(it.path, it.chosen);
    for (int i = 0; i < 20; ++i) {
      const opened other("COPIES_PLUGIN");
      if (other->call(lib) != 1) return "a wrong number";
    }
    return {};
  });
}

// The plugin's engine has a thread that runs the plugin's code.
TEST(Copies, APluginWithAnEngineOfItsOwnMayBeClosed) {
  in_a_child([]() -> std::string {
    subject it;
    library lib(it.path, it.chosen);
    opened other("COPIES_PLUGIN");
    if (const std::string thrown = other->construct(it.path.c_str()); !thrown.empty()) return thrown;
    other.close();
    it.next();
    return it.events.next(event_kind::unloaded, patience) ? "" : "the old generation did not leave";
  });
}

TEST(Copies, OfDifferentVersionsRefuseEachOther) {
  in_a_child([]() -> std::string {
    subject it;
    library lib(it.path, it.chosen);
    (void)lib->number();
    const opened other("COPIES_OTHER_VERSION");
    const std::string thrown = other->construct(it.path.c_str());
    if (thrown.find("another version of autoreload") == std::string::npos) return "it said: " + thrown;
    return lib->number() == 1 ? "" : "the host's own is disturbed";
  });
}

// ---- called from a constructor, while the service waits for the loader's lock that the constructor's thread holds

// Whether the service's thread sleeps on a lock.
bool service_waits_for_a_lock() {
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    std::string name;
    std::string call;
    std::getline(std::ifstream(task.path() / "comm"), name);
    std::ifstream(task.path() / "syscall") >> call;
    if (name == "autoreload" && call == std::to_string(SYS_futex)) return true;
  }
  return false;
}

std::function<void()> in_the_constructor;

// @return what went wrong
std::string with_constructor(const std::function<void()>& what) {
  in_the_constructor = what;
  char address[32];
  std::snprintf(address, sizeof address, "%llx",
                reinterpret_cast<unsigned long long>(static_cast<void (*)()>([] { in_the_constructor(); })));
  setenv("COPIES_CALL", address, 1);
  alarm(static_cast<unsigned>(patience.count()));
  const opened other("COPIES_PLUGIN");
  alarm(0);
  return {};
}

void await_the_service() {
  const auto end = std::chrono::steady_clock::now() + patience;
  while (!service_waits_for_a_lock() && std::chrono::steady_clock::now() < end) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

TEST(Copies, ReloadAndResumeInAConstructorDoNotWaitForWhoWaitsForTheLoader) {
  in_a_child([]() -> std::string {
    subject it;
    library lib(it.path, it.chosen);
    std::string said = "reload() succeeded";
    with_constructor([&] {
      it.next();
      await_the_service();
      lib.resume();
      if (const auto tried = lib.reload(); !tried) said = tried.error().what();
    });
    if (said.find("inside a library's constructor") == std::string::npos) return said;
    const auto end = std::chrono::steady_clock::now() + patience;
    while (lib->number() != 2 && std::chrono::steady_clock::now() < end) std::this_thread::yield();
    return lib->number() == 2 ? "" : "the new one was not loaded afterwards";
  });
}

TEST(Copies, TheDestructorInAConstructorDoesNotWaitForWhoWaitsForTheLoader) {
  in_a_child([]() -> std::string {
    subject it;
    subject other;
    const library stays(other.path, other.chosen);
    auto lib = std::make_unique<library>(it.path, it.chosen);
    with_constructor([&] {
      it.next();
      await_the_service();
      lib.reset();
    });
    other.next();
    return other.events.next(event_kind::unloaded, patience) ? "" : "the other library is not served any more";
  });
}

TEST(Copies, TheLastDestructorInAConstructorDoesNotWaitEither) {
  in_a_child([]() -> std::string {
    subject it;
    auto lib = std::make_unique<library>(it.path, it.chosen);
    with_constructor([&] {
      it.next();
      await_the_service();
      lib.reset();
    });
    const library again(it.path, it.chosen);
    return again->number() == 2 ? "" : "a new one does not load";
  });
}

}  // namespace
