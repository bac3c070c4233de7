// SPDX-License-Identifier: MIT
// plotter: draws a point with the first two versions of a library, asking again and again.
#include <autoreload/autoreload.hpp>
#include <chrono>
#include <cstdio>
#include <thread>

#include "curve.h"

namespace {

struct curve_api {
  autoreload::required<::curve_at> at;
  autoreload::optional<::curve_start> start;
};

}  // namespace

int main(int count, char** words) {
  if (count != 2) return 2;
  const autoreload::reloadable<curve_api, autoreload::raii::backend> library(words[1]);
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  for (std::uint64_t version = 1; version <= 2; ++version) {
    while (library.generation() < version) {
      if (std::chrono::steady_clock::now() > deadline) return 1;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    const point start = library.try_call<&curve_api::start>().value_or(point{0, 0});
    const point at = library.call<&curve_api::at>(3.0);
    std::printf("from %g,%g to %g,%g\n", start.x, start.y, at.x, at.y);
    std::fflush(stdout);
  }
}
