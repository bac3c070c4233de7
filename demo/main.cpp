// SPDX-License-Identifier: MIT
// autoreload-demo: calls foo() and, when present, bar() of a C library again and again while the library is edited and
// rebuilt.
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <array>
#include <autoreload/autoreload.hpp>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>

#include "arguments.hpp"
#include "foo.h"
#include "rebuilding.hpp"

namespace {

// The one line that -Dloader_backend changes.
using backend = autoreload::DEMO_BACKEND::backend;

// The API of the library: names and types come from its header.
struct foo_api {
  autoreload::required<::foo> foo;
  autoreload::optional<::bar> bar;
};

using library = autoreload::reloadable<foo_api, backend>;

// What the engine has to say goes to standard error, and a new generation wakes the main loop.
void tell(const autoreload::event& happened, int wake) {
  autoreload::log_to_stderr(happened);
  if (happened.kind != autoreload::event_kind::loaded) return;
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = write(wake, &one, sizeof one);
}

class demo {
 public:
  explicit demo(const demo_arguments& chosen) : arguments_(chosen), library_(chosen.library, options()) {
    std::fprintf(stderr, "backend %s, %s of \"%s\"\n", std::string(backend::name).c_str(),
                 std::string(to_string(library_.watching())).c_str(), chosen.library.c_str());
    if (chosen.rebuild) builder_ = rebuild_on_save(chosen.library);
  }

  // One round per interval until the rounds are done, a signal asks for the end, or nobody reads any more. A round in
  // which there is nothing to call counts, too: who asked for rounds wants an end. False if none of them had anything.
  bool run(int signals) {
    auto next = std::chrono::steady_clock::now();
    for (;;) {
      announce();
      if (std::chrono::steady_clock::now() >= next) {
        next = std::chrono::steady_clock::now() + arguments_.interval;
        call_once();
        if (arguments_.rounds != 0 && --left_ == 0) return seen_ != 0;
      }
      if (std::ferror(stdout) != 0) return true;
      const auto pause = std::max<std::chrono::nanoseconds>(next - std::chrono::steady_clock::now(), {});
      const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(pause);
      const timespec patience{seconds.count(), static_cast<long>((pause - seconds).count())};
      std::array<pollfd, 2> sources{pollfd{signals, POLLIN, 0}, pollfd{wake_, POLLIN, 0}};
      ppoll(sources.data(), sources.size(), &patience, nullptr);
      if (sources[0].revents != 0) return true;
      std::uint64_t count = 0;
      if (sources[1].revents != 0) [[maybe_unused]]
        const ssize_t taken = read(wake_, &count, sizeof count);
    }
  }

 private:
  autoreload::options options() {
    autoreload::options chosen;
    chosen.watch = arguments_.watch;
    chosen.poll_interval = std::chrono::ceil<std::chrono::milliseconds>(arguments_.poll_interval);
    chosen.observer = [wake = wake_](const autoreload::event& happened) { tell(happened, wake); };
    return chosen;
  }

  // Says on standard output that another library has taken over, before anything that it returns.
  std::uint64_t announce() {
    const std::uint64_t now = library_.generation();
    if (now != seen_ && seen_ != 0 && now != 0) say("Reloading \"" + arguments_.library + "\"");
    if (now != 0) seen_ = now;
    return now;
  }

  // Both calls are made on one pin, so they see one generation, and it is announced before its results are.
  void call_once() {
    auto pin = library_.pin();
    while (library_.generation(pin) != announce()) pin = library_.pin();
    if (seen_ == 0) return;
    say("foo() -> " + std::to_string(pin->foo()));
    say(pin->bar ? "bar() -> " + std::to_string(pin->bar()) : "bar() is not defined");
  }

  static void say(const std::string& line) {
    std::puts(line.c_str());
    std::fflush(stdout);
  }

  demo_arguments arguments_;
  int wake_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  std::uint64_t left_ = arguments_.rounds;
  std::uint64_t seen_ = 0;
  library library_;
  std::shared_ptr<void> builder_;
};

}  // namespace

int main(int count, char** words) {
  const demo_arguments arguments = parse_arguments(count, words);
  // Blocked before any thread starts, so that every thread leaves them to the descriptor.
  sigset_t endings;
  sigemptyset(&endings);
  sigaddset(&endings, SIGINT);
  sigaddset(&endings, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &endings, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  const int signals = signalfd(-1, &endings, SFD_CLOEXEC);
  try {
    if (demo(arguments).run(signals)) return EXIT_SUCCESS;
    std::fprintf(stderr, "autoreload-demo: the rounds are over, and \"%s\" never came\n", arguments.library.c_str());
  } catch (const std::exception& failure) {
    std::fprintf(stderr, "autoreload-demo: %s\n", failure.what());
  }
  return EXIT_FAILURE;
}
