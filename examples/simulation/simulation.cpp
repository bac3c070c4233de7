// SPDX-License-Identifier: MIT
// simulation: a world that survives the edits of its library. The library keeps it in variables and on the heap, as any
// C library does; this program has the carrier of state and no part of the world.
#include <array>
#include <autoreload/automatic_state.hpp>
#include <autoreload/autoreload.hpp>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <thread>

#include "garden.h"

namespace {

struct garden_api {
  autoreload::required<::garden_step> step;
  autoreload::required<::garden_draw> draw;
};

volatile std::sig_atomic_t running = 1;
void stop(int) { running = 0; }

void say(const autoreload::event& event) {
  if (event.kind == autoreload::event_kind::loaded && event.state == nullptr) return;  // the first
  if (event.kind == autoreload::event_kind::loaded) {
    std::printf("%s\n", autoreload::to_string(*event.state).c_str());
  } else if (event.kind == autoreload::event_kind::refused) {
    std::printf("%s\n", autoreload::to_string(event).c_str());
  }
}

}  // namespace

int main(int count, char** words) {
  if (count != 2) {
    std::fprintf(stderr, "usage: %s LIBGARDEN.SO\n", words[0]);
    return 2;
  }
  std::signal(SIGINT, stop);
  std::signal(SIGTERM, stop);

  autoreload::options options;
  options.drive = autoreload::drive_mode::manual;  // poll() is the quiet moment: nobody is inside then
  options.state = autoreload::automatic_state();
  options.observer = say;
  autoreload::reloadable<garden_api> garden(words[1], options);

  constexpr std::chrono::milliseconds day{50};
  while (running != 0) {
    garden.poll();
    if (garden.loaded()) {
      garden->step();
      std::array<char, 120> line{};
      garden->draw(line.data(), line.size());
      std::puts(line.data());
      std::fflush(stdout);
    }
    std::this_thread::sleep_for(day);
  }
}
