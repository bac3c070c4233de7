// SPDX-License-Identifier: MIT
// greeter: calls the library that it is linked with, once in each of its first two versions.
#include <autoreload/event.hpp>
#include <autoreload/linked.hpp>
#include <chrono>
#include <cstdio>

#include "greet.h"

int main(int, char** argv) {
  autoreload::event_queue news;
  autoreload::linked_options options;
  options.observer = news.observer();
  const auto reloaded = autoreload::reload_linked_libraries(argv, options);
  if (!reloaded) {
    std::printf("%s\n", reloaded.error().what());
    return 1;
  }
  for (int version = 0; version < 2;) {
    const auto heard = news.next(std::chrono::seconds(60));
    if (!heard) return 1;
    if (heard->kind == autoreload::event_kind::refused) std::printf("%s\n", to_string(*heard).c_str());
    if (heard->kind == autoreload::event_kind::loaded) {
      ++version;
      const char* const words = greet();
      std::printf("%s %d\n", words, greetings);
    }
    std::fflush(stdout);
  }
}
