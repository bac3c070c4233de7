// SPDX-License-Identifier: MIT
// other_ways: what people do without a rebuilder, measured on the same library.
#include <sys/stat.h>

#include <autoreload/autoreload.hpp>
#include <optional>
#include <thread>

#include "measure.hpp"

extern "C" int value(void);

namespace bench {
namespace {

struct value_api {
  autoreload::required<::value> value;
};

constexpr std::chrono::seconds patience{60};

timespec time_of(const std::string& file) {
  struct stat status {};
  return ::stat(file.c_str(), &status) == 0 ? status.st_mtim : timespec{};
}

// A host that compares the file's time at each step, and loads a copy when it is another. @return whether it saw it
bool poll_until(const std::string& library, int wanted, std::chrono::nanoseconds step) {
  timespec before = time_of(library);
  const auto deadline = steady::now() + patience;
  while (steady::now() < deadline) {
    std::this_thread::sleep_for(step);
    const timespec now = time_of(library);
    if (now.tv_sec == before.tv_sec && now.tv_nsec == before.tv_nsec) continue;
    if (value_of_copy(library) == wanted) return true;
    // Written half, or by an earlier save: it is looked at again.
  }
  return false;
}

std::vector<std::string> in_directory(const project& on, const std::string& line) {
  return {"/bin/sh", "-c", "cd '" + on.directory.string() + "' && " + line};
}

void measure_original(feel_row& into, int rounds) {
  const scratch place;
  std::optional<project> on = make_project({"demo", "gcc", "bfd", "cmake"}, place.path(), {});
  if (!on) return;
  const child loop(in_directory(*on, "while :; do cmake --build build; done"));
  for (int i = 1; i <= rounds; ++i) {
    // At any moment of the host's second.
    std::this_thread::sleep_for(std::chrono::milliseconds(300 + i * 137 % 1000));
    const auto start = steady::now();
    const std::chrono::milliseconds phase{i * 389 % 1000};
    on->save(i);
    std::this_thread::sleep_for(phase);  // the host's second began before the save
    bool seen = value_of_copy(on->library) == i;
    if (!seen) seen = poll_until(on->library, i, std::chrono::seconds(1));
    if (seen) into.total.push_back(microseconds(steady::now() - start));
  }
}

void measure_entr(feel_row& into, int rounds) {
  const scratch place;
  std::optional<project> on = make_project({"demo", "gcc", "bfd", "ninja"}, place.path(), {});
  if (!on) return;
  autoreload::options quiet;
  quiet.observer = [](const autoreload::event&) {};
  const autoreload::reloadable<value_api> running(on->library, quiet);
  const child entr(in_directory(*on, "echo lib.c | exec entr -n ninja -C build"));
  std::this_thread::sleep_for(std::chrono::milliseconds(500));
  for (int i = 1; i <= rounds; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    const auto start = steady::now();
    on->save(i);
    while (!running.loaded() || running->value() != i) {
      if (steady::now() - start > patience) return;
      std::this_thread::sleep_for(std::chrono::microseconds(20));
    }
    into.total.push_back(microseconds(steady::now() - start));
  }
}

void measure_cr(feel_row& into, int rounds) {
  const scratch place;
  std::optional<project> on = make_project({"demo", "gcc", "bfd", "cmake"}, place.path(), {});
  if (!on) return;
  for (int i = 1; i <= rounds; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    const auto start = steady::now();
    on->save(i);
    child build(in_directory(*on, "exec cmake --build build"));
    if (!poll_until(on->library, i, std::chrono::nanoseconds(16'666'667))) return;
    into.total.push_back(microseconds(steady::now() - start));
    build.wait();
  }
}

}  // namespace

std::vector<feel_row> measure_other_ways(int rounds, const std::string& wanted) {
  struct way {
    const char* name;
    const char* label;
    const char* program;
    void (*measure)(feel_row&, int);
  };
  const way ways[] = {
      {"feel/demo/gcc/bfd/shell_loop", "cmake --build in a shell's loop, and a host that polls once a second", "cmake",
       measure_original},
      {"feel/demo/gcc/bfd/entr", "entr and ninja, and this engine", "entr", measure_entr},
      {"feel/demo/gcc/bfd/60_hz",
       "cmake --build started at the save, and a host that polls at 60 Hz, copies and loads, as cr.h does", "cmake",
       measure_cr},
  };
  std::vector<feel_row> rows;
  for (const way& one : ways) {
    if (std::string(one.name).find(wanted) == std::string::npos || !installed(one.program)) continue;
    feel_row made{one.name, one.label, {}, {}, {}, {}, {}, {}, {}};
    one.measure(made, rounds);
    rows.push_back(std::move(made));
  }
  return rows;
}

}  // namespace bench
