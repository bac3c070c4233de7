// SPDX-License-Identifier: MIT
// far_pointers: reads shared mappings through the kernel, and what /proc says of epoll and timers.
#include "exec/far_pointers.hpp"

#include <dirent.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "exec/files.hpp"
#include "holders/mappings.hpp"
#include "holders/target.hpp"
#include "system/own_memory.hpp"

namespace autoreload::exec {
namespace {

using holding::target;

constexpr std::uint64_t most_shared = std::uint64_t{64} << 20U;  // bytes that are read

void cant_see(holder_report& report, const std::string& what) {
  report.unseen += (report.unseen.empty() ? "" : ", ") + what;
}

void add(holder_report& report, const std::string& text, std::uintptr_t at) {
  report.holders.push_back({holder_kind::memory, text + " leads to it", at, 0, 0});
}

void look_at_shared(const target& what, holder_report& report) {
  std::uint64_t left = most_shared;
  std::vector<std::uint64_t> words(8192);
  for (const holding::mapping& one : holding::read_mappings(what)) {
    if (!one.shared || !one.writable) continue;
    const std::string name = one.name.empty() ? "shared memory" : "shared memory of \"" + one.name + "\"";
    const std::uint64_t size = one.where.end - one.where.begin;
    if (size > left) return cant_see(report, name + ", which is large");
    left -= size;
    for (std::uintptr_t at = one.where.begin; at < one.where.end;) {
      const std::size_t wanted = std::min<std::size_t>(words.size() * sizeof words[0], one.where.end - at);
      const std::size_t got = copy_memory(at, words.data(), wanted);
      holding::scan_words(words.data(), got / sizeof words[0], at, what,
                          [&](const holding::word_found& word) { add(report, name, word.at); });
      if (got < wanted) {
        cant_see(report, name);
        break;
      }
      at += got;
    }
  }
}

// Calls `visit(number)` for what follows each mark in a text, read as hexadecimal.
template <class Visit>
void each_number(const std::string& text, const std::string& mark, Visit&& visit) {
  for (std::size_t at = 0; (at = text.find(mark, at)) != std::string::npos;) {
    at += mark.size();
    visit(std::strtoull(text.c_str() + at, nullptr, 16));
  }
}

struct closes_directory {
  void operator()(DIR* one) const noexcept { closedir(one); }
};

void look_at_descriptors(const target& what, holder_report& report) {
  // The program's own: this thread has others.
  const std::string process = "/proc/" + std::to_string(getpid());
  const std::unique_ptr<DIR, closes_directory> all(opendir((process + "/fd").c_str()));
  if (all == nullptr) return cant_see(report, "the program's descriptors");
  while (const dirent* const entry = readdir(all.get())) {
    if (entry->d_name[0] == '.') continue;
    std::array<char, 64> kind{};
    const std::string number = entry->d_name;
    if (readlink((process + "/fd/" + number).c_str(), kind.data(), kind.size() - 1) < 0) continue;
    const std::string is = kind.data();
    if (is == "anon_inode:[io_uring]") cant_see(report, "what descriptor " + number + " (io_uring) has to answer");
    if (is != "anon_inode:[eventpoll]") continue;
    const std::optional<std::string> text = read_file(process + "/fdinfo/" + number);
    if (!text) cant_see(report, "the data of descriptor " + number + " (epoll)");
    each_number(text.value_or(""), "data:", [&](std::uint64_t data) {
      if (what.leads_to(data) != holding::leads::nowhere)
        add(report, "the data of descriptor " + number + " (epoll)", 0);
    });
  }
}

void look_at_timers(const target& what, holder_report& report) {
  const std::optional<std::string> text = read_file("/proc/" + std::to_string(getpid()) + "/timers");
  // "signal: 60/00007fff86e452a8"; the kernel may have been built without this file.
  if (!text) return cant_see(report, "timers");
  for (std::size_t at = 0; (at = text->find("signal:", at)) != std::string::npos; ++at) {
    const std::size_t slash = text->find('/', at);
    if (slash == std::string::npos) return;
    const std::uint64_t value = std::strtoull(text->c_str() + slash + 1, nullptr, 16);
    if (what.leads_to(value) != holding::leads::nowhere) add(report, "the value of a timer", 0);
  }
}

}  // namespace

void look_afar(const held_image& image, holder_report& report) {
  const target what(image);
  look_at_shared(what, report);
  look_at_descriptors(what, report);
  look_at_timers(what, report);
}

}  // namespace autoreload::exec
