// SPDX-License-Identifier: MIT
// event_loop: one thread, one epoll. The engine's descriptor is one source of events beside the program's own.
#include <sys/epoll.h>
#include <unistd.h>

#include <array>
#include <autoreload/autoreload.hpp>
#include <cstdio>
#include <string>

#include "greeting.h"

namespace {

struct greeting_api {
  autoreload::required<::greet> greet;
};

using library = autoreload::reloadable<greeting_api>;

void watch(int loop, int source) {
  epoll_event wanted{};
  wanted.events = EPOLLIN;
  wanted.data.fd = source;
  if (epoll_ctl(loop, EPOLL_CTL_ADD, source, &wanted) != 0) std::perror("epoll_ctl");
}

// The answer lies in the library's own memory: the pin keeps it until it is printed.
void answer(const library& greeting, const std::string& name) {
  const auto pin = greeting.pin();
  std::puts(pin->greet(name.c_str()));
}

// Answers every whole line; false at the end of the input.
bool read_lines(const library& greeting, std::string& waiting) {
  std::array<char, 256> chunk{};
  const ssize_t got = read(STDIN_FILENO, chunk.data(), chunk.size());
  if (got <= 0) return false;
  waiting.append(chunk.data(), static_cast<std::size_t>(got));
  for (std::size_t end = 0; (end = waiting.find('\n')) != std::string::npos; waiting.erase(0, end + 1)) {
    answer(greeting, waiting.substr(0, end));
  }
  return true;
}

}  // namespace

int main(int count, char** words) {
  if (count != 2) {
    std::fprintf(stderr, "usage: %s LIBGREETING.SO\n", words[0]);
    return 2;
  }
  std::setvbuf(stdout, nullptr, _IOLBF, BUFSIZ);

  autoreload::options options;
  options.drive = autoreload::drive_mode::manual;
  options.observer = [](const autoreload::event& happened) {
    if (happened.kind == autoreload::event_kind::loaded) {
      std::printf("version %llu\n", static_cast<unsigned long long>(happened.generation));
    }
    autoreload::log_to_stderr(happened);  // as without an observer
  };
  library greeting(words[1], options);
  greeting.poll();  // tells of the first version, too

  const int loop = epoll_create1(EPOLL_CLOEXEC);
  watch(loop, STDIN_FILENO);
  watch(loop, greeting.descriptor());
  std::string waiting;
  for (bool open = true; open;) {
    epoll_event ready{};
    if (epoll_wait(loop, &ready, 1, -1) != 1) continue;
    if (ready.data.fd == greeting.descriptor()) {
      greeting.poll();
    } else {
      open = read_lines(greeting, waiting);
    }
  }
  close(loop);
}
