// SPDX-License-Identifier: MIT
// mixer: mixes with the first two versions of a library that fit it, and says why another one does not.
#include <autoreload/abi_guard.hpp>
#include <autoreload/autoreload.hpp>
#include <chrono>
#include <cstdio>

#include "mix.h"

namespace {

struct mix_api {
  autoreload::required<::mix> mix;
};

}  // namespace

int main(int count, char** words) {
  if (count != 2) return 2;
  autoreload::event_queue news;
  autoreload::options options;
  options.observer = news.observer();
  options.guard = autoreload::make_abi_guard();
  const autoreload::reloadable<mix_api> library(words[1], options);
  for (int version = 0; version < 2;) {
    const auto heard = news.next(std::chrono::seconds(60));
    if (!heard) return 1;
    if (heard->kind == autoreload::event_kind::loaded) ++version;
    if (heard->kind == autoreload::event_kind::warning || heard->kind == autoreload::event_kind::refused)
      std::printf("%s\n", to_string(*heard).c_str());
    if (heard->kind == autoreload::event_kind::loaded || heard->kind == autoreload::event_kind::refused)
      std::printf("mixed %d\n", library->mix(40, 2));
    std::fflush(stdout);
  }
}
