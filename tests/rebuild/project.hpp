// SPDX-License-Identifier: MIT
// project: a C library in a directory of its own, with a build tool, a rebuilder and an engine on it.
#pragma once

#include <gtest/gtest.h>

#include <autoreload/autoreload.hpp>
#include <autoreload/rebuild.hpp>

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <cstdlib>
#include <deque>
#include <filesystem>
#include <mutex>
#include <optional>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "tests/support.hpp"

extern "C" int value(void);  // what the library has

namespace rebuild_test {

using autoreload::rebuild_event;
using autoreload::rebuild_kind;
using autoreload::rebuild_options;
using autoreload::rebuilder;
using support::patience;
using support::temp_directory;

inline bool installed(const std::string& program) {
  return std::system(("command -v '" + program + "' > /dev/null 2>&1").c_str()) == 0;
}

/// The compiler and these arguments, as the words of a command.
inline std::vector<std::string> compile(const std::vector<std::string>& arguments) {
  std::istringstream compiler(support::c_compiler());  // perhaps `ccache cc`
  std::vector<std::string> words;
  for (std::string word; compiler >> word;) words.push_back(word);
  words.insert(words.end(), arguments.begin(), arguments.end());
  return words;
}

/// The source of a library whose value() returns this.
inline std::string source_of(int value) {
  return "#include \"value.h\"\nint value(void) { return " + std::to_string(value) + " + EXTRA; }\n";
}

/// The rebuilder's events, to be asked for.
class events {
 public:
  auto observer() {
    return [this](const rebuild_event& happened) {
      const std::lock_guard lock(mutex_);
      said_ += to_string(happened) + "\n";
      events_.push_back(happened);
      arrived_.notify_all();
    };
  }
  /// The next event of this kind; those before it are dropped. A failure, with all that was said, when none comes.
  rebuild_event next(rebuild_kind kind) { return next(kind, kind); }
  /// The next of either kind.
  rebuild_event next(rebuild_kind kind, rebuild_kind other) {
    std::unique_lock lock(mutex_);
    const auto deadline = std::chrono::steady_clock::now() + patience;
    for (;;) {
      while (!events_.empty()) {
        rebuild_event first = std::move(events_.front());
        events_.pop_front();
        if (first.kind == kind || first.kind == other) return first;
      }
      if (arrived_.wait_until(lock, deadline) == std::cv_status::timeout) break;
    }
    ADD_FAILURE() << "no event \"" << to_string(kind) << "\" came, but these:\n" << said_;
    return {};
  }
  std::string said() {
    const std::lock_guard lock(mutex_);
    return said_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::deque<rebuild_event> events_;
  std::string said_;
};

struct value_api {
  autoreload::required<::value> value;
};

/// Build tools that a project may be made for.
enum class tool { ninja, make, cmake_ninja, cmake_make, meson };

inline std::string name_of(tool which) {
  switch (which) {
    case tool::ninja: return "ninja";
    case tool::make: return "make";
    case tool::cmake_ninja: return "cmake_ninja";
    case tool::cmake_make: return "cmake_make";
    case tool::meson: return "meson";
  }
  return "";
}

/// The programs that a tool needs beside the compiler, as Debian's packages.
inline std::vector<std::pair<std::string, std::string>> programs_of(tool which) {
  switch (which) {
    case tool::ninja: return {{"ninja", "ninja-build"}};
    case tool::make: return {{"make", "make"}};
    case tool::cmake_ninja: return {{"cmake", "cmake"}, {"ninja", "ninja-build"}};
    case tool::cmake_make: return {{"cmake", "cmake"}, {"make", "make"}};
    case tool::meson: return {{"meson", "meson"}, {"ninja", "ninja-build"}};
  }
  return {};
}

/// The source `lib.c` with its header `value.h` in a directory with a space in its name, and what builds it.
class project {
 public:
  explicit project(tool which = tool::ninja) {
    std::filesystem::create_directories(directory_ / "my project/build");
    write("lib.c", source_of(1));
    write("value.h", "#define EXTRA 0\nint value(void);\n");
    const std::string cc = support::c_compiler();
    const std::string quoted = "'" + path("") + "'";
    switch (which) {
      case tool::ninja:
        write("build/build.ninja",
              "rule cc\n  command = " + cc +
                  " -g -fPIC -MD -MF $out.d -c $in -o $out\n  depfile = $out.d\n  deps = gcc\n" +
                  "rule link\n  command = " + cc +
                  " -shared -o $out $in\nbuild lib.o: cc ../lib.c\nbuild libvalue.so: link lib.o\n");
        library_ = path("build/libvalue.so");
        break;
      case tool::make:
        write("Makefile", "libvalue.so: lib.o\n\t" + cc + " -shared -o $@ $^\nlib.o: lib.c value.h\n\t" + cc +
                              " -g -fPIC -c lib.c\n");
        library_ = path("libvalue.so");
        break;
      case tool::cmake_ninja:
      case tool::cmake_make:
        write("CMakeLists.txt",
              "cmake_minimum_required(VERSION 3.16)\nproject(value C)\nadd_library(value SHARED lib.c)\n"
              "set_target_properties(value PROPERTIES VERSION 1.2 SOVERSION 1)\n");
        support::shell("cd " + quoted + " && cmake -G '" + (which == tool::cmake_make ? "Unix Makefiles" : "Ninja") +
                       "' -DCMAKE_BUILD_TYPE=Debug -S . -B build");
        library_ = path("build/libvalue.so");
        break;
      case tool::meson:
        write("meson.build", "project('value', 'c')\nshared_library('value', 'lib.c', version: '1.2')\n");
        std::filesystem::remove(path("build"));
        support::shell("cd " + quoted + " && meson setup build");
        library_ = path("build/libvalue.so");
        break;
    }
  }

  [[nodiscard]] std::string path(const std::string& name) const { return directory_ / ("my project/" + name); }
  [[nodiscard]] const std::string& library() const { return library_; }
  void write(const std::string& name, const std::string& text) const { support::write_file(path(name), text); }
  /// As most editors save: a new file is renamed over the old one.
  void replace(const std::string& name, const std::string& text) const {
    write(name + ".new", text);
    std::filesystem::rename(path(name + ".new"), path(name));
  }

 private:
  temp_directory directory_;
  std::string library_;
};

/// A rebuilder on a project, and an engine that loads what it builds.
class session {
 public:
  explicit session(const project& on, rebuild_options options = {}) : session(on.library(), std::move(options)) {}
  explicit session(const std::string& library, rebuild_options options = {}) {
    options.observer = told.observer();
    autoreload::options chosen;
    chosen.observer = [this, tell = loaded_.observer()](const autoreload::event& e) {
      if (e.kind == autoreload::event_kind::refused) {
        const std::lock_guard lock(refusals_mutex_);
        refusals_ += to_string(e) + "\n";
      }
      tell(e);
    };
    chosen.watch = options.watch;
    chosen.poll_interval = options.poll_interval;
    running_.emplace(library, chosen);
    builder_.emplace(library, std::move(options));
  }

  /// Waits until value() returns this.
  testing::AssertionResult becomes(int wanted) {
    const auto deadline = std::chrono::steady_clock::now() + patience;
    int last = -1;
    while (std::chrono::steady_clock::now() < deadline) {
      if (running_->loaded() && (last = (*running_)->value()) == wanted) return testing::AssertionSuccess();
      (void)loaded_.next(std::chrono::milliseconds(200));
    }
    return testing::AssertionFailure() << "value() is " << last << ", not " << wanted << "; the rebuilder said:\n"
                                       << told.said();
  }
  rebuilder& builder() { return *builder_; }
  /// What the engine has refused to load, as text.
  std::string refused() {
    const std::lock_guard lock(refusals_mutex_);
    return refusals_;
  }
  [[nodiscard]] int value() { return running_->loaded() ? (*running_)->value() : -1; }

  events told;

 private:
  std::mutex refusals_mutex_;
  std::string refusals_;
  autoreload::event_queue loaded_;
  std::optional<autoreload::reloadable<value_api, autoreload::symbols::backend>> running_;
  std::optional<rebuilder> builder_;
};

}  // namespace rebuild_test
