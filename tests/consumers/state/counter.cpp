// SPDX-License-Identifier: MIT
// counter: counts once in each of the first two versions of a library, which has to remember how far it was.
#include <autoreload/automatic_state.hpp>
#include <autoreload/autoreload.hpp>
#include <chrono>
#include <cstdio>

#include "count.h"

namespace {

struct count_api {
  autoreload::required<::count_up> up;
};

}  // namespace

int main(int count, char** words) {
  if (count != 2) return 2;
  autoreload::event_queue news;
  autoreload::options options;
  options.observer = news.observer();
  options.state = autoreload::automatic_state();
  const autoreload::reloadable<count_api> library(words[1], options);
  for (int version = 0; version < 2;) {
    const auto heard = news.next(std::chrono::seconds(60));
    if (!heard) return 1;
    if (heard->kind == autoreload::event_kind::refused) std::printf("%s\n", to_string(*heard).c_str());
    if (heard->kind == autoreload::event_kind::loaded) {
      ++version;
      std::printf("count %d\n", library->up());
    }
    std::fflush(stdout);
  }
}
