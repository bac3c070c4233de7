// SPDX-License-Identifier: MIT
// audio_thread: a thread with a deadline calls a library that is being replaced. A call neither locks, waits, allocates
// nor enters the kernel: attach_thread() did what must be done once, and everything else is the watcher's work.
#include <pthread.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <autoreload/autoreload.hpp>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <ctime>
#include <functional>
#include <thread>

#include "synth.h"

namespace {

struct synth_api {
  autoreload::required<::synth_render> render;
};

// Shared by the audio thread, which writes `peak`, and the main thread, which writes `running`. Each value stands for
// itself, so relaxed order is enough.
std::atomic<float> peak{0};
std::atomic<bool> running{true};

void play(const autoreload::reloadable<synth_api>& synth) {
  autoreload::attach_thread();
  pthread_setname_np(pthread_self(), "audio");

  synth_state state{};
  std::array<float, synth_block> block{};
  timespec next{};
  clock_gettime(CLOCK_MONOTONIC, &next);
  while (running.load(std::memory_order_relaxed)) {
    synth->render(&state, block.data());
    // A sound card would take the block here, and its interrupt would be the clock.
    peak.store(*std::max_element(block.begin(), block.end()), std::memory_order_relaxed);
    constexpr long period = 1'000'000'000L * synth_block / 48'000;
    next.tv_nsec += period;
    next.tv_sec += next.tv_nsec / 1'000'000'000L;
    next.tv_nsec %= 1'000'000'000L;
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, nullptr);
  }
}

}  // namespace

int main(int count, char** words) {
  if (count != 2) {
    std::fprintf(stderr, "usage: %s LIBSYNTH.SO\n", words[0]);
    return 2;
  }
  sigset_t endings;
  sigemptyset(&endings);
  sigaddset(&endings, SIGINT);
  sigaddset(&endings, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &endings, nullptr);

  const autoreload::reloadable<synth_api> synth(words[1]);
  if (!synth.loaded()) return 1;  // standard error says why. A call would throw, which allocates
  std::thread audio(play, std::cref(synth));

  // Prints the loudness whenever it changes, until a signal comes.
  constexpr timespec pause{0, 20'000'000};
  for (float last = 0; sigtimedwait(&endings, nullptr, &pause) < 0;) {
    const float now = peak.load(std::memory_order_relaxed);
    if (now == last) continue;
    last = now;
    std::printf("peak %.2f\n", static_cast<double>(now));
    std::fflush(stdout);
  }
  running.store(false, std::memory_order_relaxed);
  audio.join();
}
