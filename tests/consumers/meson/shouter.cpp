// SPDX-License-Identifier: MIT
// shouter: says the same word with the first two versions of a library, told of them by the background watcher.
#include <array>
#include <autoreload/autoreload.hpp>
#include <chrono>
#include <cstdio>

#include "shout.h"

namespace {

struct shout_api {
  autoreload::required<::shout> shout;
};

}  // namespace

int main(int count, char** words) {
  if (count != 2) return 2;
  autoreload::event_queue news;
  autoreload::options options;
  options.observer = news.observer();
  const autoreload::reloadable<shout_api> library(words[1], options);
  for (int version = 0; version < 2;) {
    const auto heard = news.next(std::chrono::seconds(60));
    if (!heard) return 1;
    std::fprintf(stderr, "%s\n", to_string(*heard).c_str());
    if (heard->kind != autoreload::event_kind::loaded) continue;
    ++version;
    std::array<char, 64> said{};
    const std::size_t length = library->shout("hello", said.data(), said.size());
    std::printf("%zu %s\n", length, said.data());
    std::fflush(stdout);
  }
}
