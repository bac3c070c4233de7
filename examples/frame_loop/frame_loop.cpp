// SPDX-License-Identifier: MIT
// frame_loop: a loop of frames, without any thread. It reloads between two frames, where no old code is on the stack
// and no frame is half old and half new.
#include <array>
#include <autoreload/autoreload.hpp>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <thread>

#include "scene.h"

namespace {

struct scene_api {
  autoreload::required<::scene_update> update;
  autoreload::required<::scene_draw> draw;
};

volatile std::sig_atomic_t running = 1;
void stop(int) { running = 0; }

// Between two poll()s update and draw are of one version.
void draw_frame(const autoreload::reloadable<scene_api>& scene, world& world, std::chrono::duration<double> elapsed) {
  scene.frame().update(&world, elapsed.count());
  std::array<char, 80> line{};
  scene.frame().draw(&world, line.data(), line.size());
  std::puts(line.data());
  std::fflush(stdout);
}

}  // namespace

int main(int count, char** words) {
  if (count != 2) {
    std::fprintf(stderr, "usage: %s LIBSCENE.SO\n", words[0]);
    return 2;
  }
  std::signal(SIGINT, stop);
  std::signal(SIGTERM, stop);

  autoreload::options options;
  options.drive = autoreload::drive_mode::manual;
  options.frames = true;
  autoreload::reloadable<scene_api> scene(words[1], options);

  constexpr std::chrono::milliseconds frame_time{16};
  world world{};
  auto next = std::chrono::steady_clock::now();
  while (running != 0) {
    scene.poll(frame_time / 8);  // the safe point
    if (scene.loaded()) draw_frame(scene, world, frame_time);
    next += frame_time;
    std::this_thread::sleep_until(next);
  }
}
