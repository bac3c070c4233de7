// SPDX-License-Identifier: MIT
// witness: calls a library from several threads without pause while somebody replaces it, and reports what it saw.
//
// usage: witness LIBRARY inotify|poll THREADS
// Standard output, a line each, flushed: `ready`; `version N` when a call first returned N; `generation N`; `unloaded
// N`; `refused …`; `waiting …`; `warning …`; `torn N` when a call returned what no version returns. It ends when its
// standard input does.
#include <unistd.h>

#include <atomic>
#include <autoreload/autoreload.hpp>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace {

struct versioned_api {
  autoreload::required_as<"version", int()> version;  // in its code
  autoreload::required_as<"witness", int()> witness;  // the same from its data, or -1 when the two differ
};

std::mutex output;

void say(const char* what, const std::string& text) {
  const std::lock_guard lock(output);
  std::printf("%s %s\n", what, text.substr(0, text.find('\n')).c_str());
  std::fflush(stdout);
}

void tell(const autoreload::event& happened) {
  using autoreload::event_kind;
  const bool failed = happened.kind == event_kind::refused || happened.kind == event_kind::waiting;
  const std::string name(happened.kind == event_kind::loaded ? "generation" : to_string(happened.kind));
  say(name.c_str(), failed                                 ? happened.failure->what()
                    : happened.kind == event_kind::warning ? happened.text
                                                           : std::to_string(happened.generation));
}

}  // namespace

int main(int count, char** words) {
  if (count != 4) return 2;
  autoreload::options chosen;
  chosen.watch = std::string(words[2]) == "poll" ? autoreload::watch_mode::polling : autoreload::watch_mode::inotify;
  chosen.poll_interval = std::chrono::milliseconds(50);
  chosen.observer = tell;
  autoreload::reloadable<versioned_api> library(words[1], chosen);
  std::atomic<bool> stop{false};
  std::atomic<int> newest{0};
  std::vector<std::thread> callers;
  for (int i = 0; i < std::atoi(words[3]); ++i) {
    callers.emplace_back([&] {
      while (!stop.load(std::memory_order_relaxed)) {
        if (!library.loaded()) {
          std::this_thread::yield();
          continue;
        }
        const auto pin = library.pin();
        if (library.generation(pin) == 0) continue;
        const int version = pin->version();
        if (version <= 0 || pin->witness() != version) say("torn", std::to_string(version));
        int seen = newest.load(std::memory_order_relaxed);
        if (version != seen && newest.compare_exchange_strong(seen, version)) say("version", std::to_string(version));
      }
    });
  }
  say("ready", "");
  char byte;
  while (read(STDIN_FILENO, &byte, 1) > 0) continue;
  stop = true;
  for (std::thread& caller : callers) caller.join();
  return 0;
}
