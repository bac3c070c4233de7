// SPDX-License-Identifier: MIT
// waiting: poll, and a signalfd.
#include "waiting.hpp"

#include <poll.h>
#include <sys/signalfd.h>

#include <algorithm>
#include <csignal>

namespace autoreload::command {

unique_fd caught_signals(std::initializer_list<int> signals) {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : signals) sigaddset(&set, signal);
  sigprocmask(SIG_BLOCK, &set, nullptr);
  return unique_fd(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
}

std::vector<bool> wait_for(const live_library& library, std::initializer_list<int> others,
                           std::optional<std::chrono::steady_clock::time_point> until) {
  std::vector<pollfd> files;
  for (const int file : others) files.push_back({file, POLLIN, 0});
  for (const int file : library.descriptors()) files.push_back({file, POLLIN, 0});
  const auto due = library.due();
  if (due && (!until || *due < *until)) until = due;
  int milliseconds = -1;
  if (until) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(*until - std::chrono::steady_clock::now()).count();
    milliseconds = static_cast<int>(std::clamp<long>(left, 0, 1'000'000));
  }
  if (poll(files.data(), files.size(), milliseconds) < 0) {
    for (pollfd& file : files) file.revents = 0;
  }
  std::vector<bool> readable;
  for (std::size_t i = 0; i < others.size(); ++i) readable.push_back(files[i].revents != 0);
  return readable;
}

void stop_as_a_job() {
  sigset_t stopping;
  sigemptyset(&stopping);
  sigaddset(&stopping, SIGTSTP);
  raise(SIGTSTP);  // blocked, so it waits …
  sigprocmask(SIG_UNBLOCK, &stopping, nullptr);
  sigprocmask(SIG_BLOCK, &stopping, nullptr);  // … and by now it has happened, and SIGCONT after it
}

}  // namespace autoreload::command
