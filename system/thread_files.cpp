// SPDX-License-Identifier: MIT
// thread_files: reads the files of proc(5).
#include "system/thread_files.hpp"

#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <vector>

#include "system/unique_fd.hpp"

namespace autoreload {
namespace {

std::vector<std::string_view> words_in(std::string_view text) {
  std::vector<std::string_view> words;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find_first_of(" \n"), text.size());
    if (end > 0) words.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return words;
}

std::uint64_t number_in(std::string_view word) {
  std::uint64_t number = 0;
  if (word.starts_with("0x")) std::from_chars(word.data() + 2, word.data() + word.size(), number, 16);
  return number;
}

}  // namespace

std::string read_of_thread(pid_t thread, const char* file) {
  std::array<char, 64> path;
  std::snprintf(path.data(), path.size(), "/proc/self/task/%d/%s", static_cast<int>(thread), file);
  const unique_fd from(open(path.data(), O_RDONLY | O_CLOEXEC));
  std::array<char, 4096> text;
  const ssize_t got = from ? read(from.get(), text.data(), text.size()) : -1;
  return {text.data(), got > 0 ? static_cast<std::size_t>(got) : 0};
}

std::string words_of_thread(pid_t thread) {
  std::string name = read_of_thread(thread, "comm");
  while (!name.empty() && name.back() == '\n') name.pop_back();
  return "thread " + std::to_string(thread) + (name.empty() ? "" : " (\"" + name + "\")");
}

// `running`, or `NUMBER six arguments STACK INSTRUCTION`, or `-1 STACK INSTRUCTION`.
std::optional<waiting_call> call_in(std::string_view text) {
  const std::vector<std::string_view> words = words_in(text);
  if (words.size() < 3) return std::nullopt;
  waiting_call call;
  std::from_chars(words[0].data(), words[0].data() + words[0].size(), call.number);
  for (std::size_t i = 0; words.size() == 9 && i < call.arguments.size(); ++i) {
    call.arguments[i] = number_in(words[i + 1]);
  }
  call.stack = number_in(words[words.size() - 2]);
  call.instruction = number_in(words[words.size() - 1]);
  return call;
}

std::vector<std::uintptr_t> words_on_stack(std::uintptr_t stack, std::size_t most) {
  std::vector<std::uintptr_t> words(most);
  const iovec into{words.data(), words.size() * sizeof words.front()};
  // The stack's end may be near: the kernel gives what is there, page by page.
  std::array<iovec, 8> from{};
  const std::uintptr_t end = stack + into.iov_len;
  std::size_t count = 0;
  for (std::uintptr_t at = stack; at < end && count < from.size(); ++count) {
    const std::uintptr_t next = std::min(end, (at | 0xfff) + 1);
    from[count] = {reinterpret_cast<void*>(at), next - at};
    at = next;
  }
  const ssize_t got = process_vm_readv(getpid(), &into, 1, from.data(), count, 0);
  words.resize(got > 0 ? static_cast<std::size_t>(got) / sizeof words.front() : 0);
  return words;
}

}  // namespace autoreload
