// SPDX-License-Identifier: MIT
// grace_period: waits until no thread can newly pin what was unpublished.
#include "reload/retire/grace_period.hpp"

#include <fcntl.h>
#include <linux/membarrier.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <string_view>

#include "system/unique_fd.hpp"

namespace autoreload {
namespace {

long membarrier(int command) { return syscall(SYS_membarrier, command, 0U, 0); }

// What /proc says of a thread.
struct sight {
  bool exists = false;
  bool running = false;
  unsigned long switches = 0;
};

sight look_at(pid_t thread) noexcept {
  std::array<char, 64> name;
  std::snprintf(name.data(), name.size(), "/proc/self/task/%d/status", static_cast<int>(thread));
  const unique_fd file(open(name.data(), O_RDONLY | O_CLOEXEC));
  std::array<char, 4096> buffer;
  const ssize_t size = file ? read(file.get(), buffer.data(), buffer.size()) : -1;
  if (size <= 0) return {};
  const std::string_view text(buffer.data(), static_cast<std::size_t>(size));
  const auto number_after = [&](std::string_view key) {
    const std::size_t at = text.find(key);
    unsigned long number = 0;
    if (at != std::string_view::npos) {
      std::from_chars(text.data() + at + key.size(), text.data() + text.size(), number);
    }
    return number;
  };
  const std::size_t state = text.find("State:\t");
  return {true, state == std::string_view::npos || text[state + 7] == 'R',
          number_after("\nvoluntary_ctxt_switches:\t") + number_after("\nnonvoluntary_ctxt_switches:\t")};
}

// Which processor it runs on: the 39th field of its stat, the 37th after the name in brackets.
int processor_of(pid_t thread) noexcept {
  std::array<char, 64> name;
  std::snprintf(name.data(), name.size(), "/proc/self/task/%d/stat", static_cast<int>(thread));
  const unique_fd file(open(name.data(), O_RDONLY | O_CLOEXEC));
  std::array<char, 1024> buffer;
  const ssize_t size = file ? read(file.get(), buffer.data(), buffer.size()) : -1;
  if (size <= 0) return -1;
  const std::string_view text(buffer.data(), static_cast<std::size_t>(size));
  std::size_t at = text.rfind(')');
  for (int field = 2; field < 39 && at != std::string_view::npos; ++field) at = text.find(' ', at + 1);
  int processor = -1;
  if (at != std::string_view::npos) std::from_chars(text.data() + at + 1, text.data() + text.size(), processor);
  return processor;
}

// Takes the place of a thread that runs, for a moment.
class elbow {
 public:
  elbow() noexcept { known_ = sched_getaffinity(0, sizeof before_, &before_) == 0; }
  elbow(const elbow&) = delete;
  elbow& operator=(const elbow&) = delete;
  ~elbow() {
    if (moved_) sched_setaffinity(0, sizeof before_, &before_);
  }
  void push(pid_t thread) noexcept {
    const int processor = processor_of(thread);
    if (known_ && processor >= 0 && processor < CPU_SETSIZE) {
      cpu_set_t there;
      CPU_ZERO(&there);
      CPU_SET(static_cast<std::size_t>(processor), &there);
      moved_ = sched_setaffinity(0, sizeof there, &there) == 0 || moved_;
    }
    sched_yield();
  }

 private:
  cpu_set_t before_;
  bool known_ = false;
  bool moved_ = false;
};

// Whether each thread that pins has been through the scheduler since the call. One that is not in the list yet when it
// is read here has its own fence after it has put itself there, and so sees what was published before.
bool all_were_switched(const pin_registry& registry) noexcept {
  const auto limit = std::chrono::steady_clock::now() + std::chrono::milliseconds(20);
  elbow aside;
  for (const pin_record* one = registry.records.load(); one != nullptr; one = one->next) {
    const pid_t thread = one->thread.load();
    if (thread == gettid()) continue;
    const sight first = look_at(thread);
    for (sight now = first; now.exists && now.running && now.switches == first.switches; now = look_at(thread)) {
      if (std::chrono::steady_clock::now() > limit) return false;
      aside.push(thread);
    }
  }
  return true;
}

}  // namespace

bool ask_for_membarrier() noexcept { return membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) == 0; }

grace pass_grace_period(const pin_registry& registry) noexcept {
  detail::full_fence();
  if (registry.unfenced.load() == 0) return {true};
  if (membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED) == 0) return {true};
  grace outcome{false, errno};
  outcome.blind = !look_at(gettid()).exists;
  outcome.passed = !outcome.blind && all_were_switched(registry);
  detail::full_fence();
  return outcome;
}

}  // namespace autoreload
