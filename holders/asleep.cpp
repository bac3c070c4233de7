// SPDX-License-Identifier: MIT
// asleep: reads what /proc tells of a thread.
#include "holders/asleep.hpp"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <cstdio>
#include <string_view>
#include <vector>

#include "system/unique_fd.hpp"

namespace autoreload::holding {
namespace {

std::string read_of(pid_t thread, const char* name) {
  std::array<char, 64> path;
  std::snprintf(path.data(), path.size(), "/proc/self/task/%d/%s", static_cast<int>(thread), name);
  const unique_fd file(open(path.data(), O_RDONLY | O_CLOEXEC));
  std::array<char, 4096> text;
  const ssize_t got = file ? read(file.get(), text.data(), text.size()) : -1;
  return {text.data(), got > 0 ? static_cast<std::size_t>(got) : 0};
}

std::uint64_t number_after(std::string_view text, std::string_view name) {
  const std::size_t at = text.find(name);
  std::uint64_t number = 0;
  if (at != std::string_view::npos) std::from_chars(text.data() + at + name.size(), text.data() + text.size(), number);
  return number;
}

std::vector<std::string_view> words_of(std::string_view text) {
  std::vector<std::string_view> words;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find_first_of(" \n"), text.size());
    if (end > 0) words.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return words;
}

std::uint64_t hexadecimal(std::string_view word) {
  std::uint64_t number = 0;
  if (word.starts_with("0x")) std::from_chars(word.data() + 2, word.data() + word.size(), number, 16);
  return number;
}

}  // namespace

thread_position position_of(pid_t thread) {
  thread_position at;
  const std::string status = read_of(thread, "status");
  const std::string call = read_of(thread, "syscall");
  at.there = !status.empty() && !call.empty();
  if (!at.there) return at;
  at.switches =
      number_after(status, "\nvoluntary_ctxt_switches:\t") + number_after(status, "\nnonvoluntary_ctxt_switches:\t");
  // `running`, or `NUMBER six arguments STACK INSTRUCTION`, or `-1 STACK INSTRUCTION`.
  const std::vector<std::string_view> words = words_of(call);
  if (words.size() < 3) {
    at.running = true;
    return at;
  }
  std::from_chars(words[0].data(), words[0].data() + words[0].size(), at.call);
  for (std::size_t i = 0; words.size() == 9 && i < at.arguments.size(); ++i)
    at.arguments[i] = hexadecimal(words[i + 1]);
  at.stack_pointer = hexadecimal(words[words.size() - 2]);
  return at;
}

bool may_be_stopped(const thread_position& at) noexcept {
  const auto endless = [&](std::size_t argument) { return static_cast<int>(at.arguments[argument]) == -1; };
  switch (at.call) {
    // The kernel keeps the time that is left, or there is none.
    case SYS_nanosleep:
    case SYS_clock_nanosleep:
    case SYS_ppoll:
    case SYS_pselect6:
    case SYS_wait4:
    case SYS_waitid:
#ifdef SYS_poll
    case SYS_poll:
    case SYS_select:
#endif
      return true;
    case SYS_futex: {
      const std::uint64_t operation = at.arguments[1] & 0x7f;
      return operation == 0 || operation == 9;  // FUTEX_WAIT, FUTEX_WAIT_BITSET
    }
#ifdef __x86_64__  // where tracer.cpp lets them begin again
    case SYS_epoll_wait:
    case SYS_epoll_pwait: return endless(3);
    case SYS_rt_sigtimedwait: return at.arguments[2] == 0;
    case SYS_semop:
    case SYS_read:
    case SYS_readv:
    case SYS_recvfrom:
    case SYS_recvmsg:
    case SYS_accept:
    case SYS_accept4: return true;
#endif
    default: (void)endless; return false;
  }
}

std::string thread_in_words(pid_t thread) {
  std::string name = read_of(thread, "comm");
  while (!name.empty() && name.back() == '\n') name.pop_back();
  return "thread " + std::to_string(thread) + (name.empty() ? "" : " (\"" + name + "\")");
}

}  // namespace autoreload::holding
