// SPDX-License-Identifier: MIT
// holders_left: asks who may still come back to a generation that nobody pins, and tells of them.
#include "reload/stays/stays.hpp"

#include <unistd.h>

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "crash/crash_table.hpp"
#include "system/host_signals.hpp"

namespace autoreload {
namespace {

constexpr std::chrono::milliseconds patience{200};  // who leaves by then is not worth a word
constexpr std::chrono::seconds between_words{1};

void leave_out(held_image& image, const void* begin, std::size_t size) {
  const auto at = reinterpret_cast<std::uintptr_t>(begin);
  image.ours.push_back({at, at + size});
}

held_image image_of(const generation& one) {
  held_image image;
  image.base = one.base;
  for (const load_segment& segment : one.facts.segments) {
    image.segments.push_back({segment.address, segment.memory_size, (segment.flags & PF_X) != 0});
  }
  image.handle = one.module->handle();
  image.file = one.image.memory.still_ours() ? one.image.memory.get() : -1;
  leave_out(image, &one, sizeof one);
  leave_out(image, one.module->table(), one.module->table_size());
  for (const std::span<const std::byte> part : crash_table::own_memory()) {
    leave_out(image, part.data(), part.size());
  }
  if (is_serving()) image.own_thread = gettid();
  return image;
}

// Who they are, without where a thread that runs is at the moment.
std::string form_of(const holder_report& report) {
  std::string form;
  for (const holder& one : report.holders) {
    form += std::to_string(static_cast<int>(one.kind)) + ' ' + std::to_string(one.thread) + ' ';
    if (one.thread == 0) form += std::to_string(one.at) + ' ' + std::to_string(one.offset);
    form += '\n';
  }
  return form;
}

std::string words_of(const holder_report& report) {
  std::string text = "somebody may come back to it: ";
  for (const holder& one : report.holders) text += (&one == &report.holders.front() ? "" : "; ") + one.text;
  if (report.more > 0) text += "; and " + std::to_string(report.more) + " more";
  if (!report.complete()) text += "; not looked at: " + report.unseen;
  return text + ". It is unloaded when they are gone";
}

void tell(generation& one, const holder_report& report, std::vector<retirement>& done) {
  const auto now = std::chrono::steady_clock::now();
  if (now - one.retired < patience || now - one.held_told < between_words) return;
  std::string form = form_of(report);
  if (form == one.held_by) return;
  done.push_back({one.number, false, words_of(report)});
  one.held_by = std::move(form);
  one.held_told = now;
}

}  // namespace

std::string_view to_string(holder_kind kind) noexcept {
  switch (kind) {
    case holder_kind::thread: return "thread";
    case holder_kind::stack: return "stack";
    case holder_kind::signal_handler: return "signal handler";
    case holder_kind::thread_local_: return "thread-local variable";
    case holder_kind::variable: return "variable";
    case holder_kind::heap: return "heap";
    case holder_kind::memory: return "memory";
  }
  return "unknown";
}

bool is_held(generation& one, bool wait, std::vector<retirement>& done) {
  if (one.check == nullptr) return false;
  if (one.search == nullptr) one.search = one.check->begin(image_of(one));
  const std::optional<holder_report> report = one.search->look(wait);
  if (!report) return true;
  if (!report->holders.empty() || report->more > 0) {
    tell(one, *report, done);
    return true;
  }
  // What could not be looked at delays nothing for good: the pins are what the promise rests on.
  if (!report->complete()) {
    done.push_back(
        {one.number, false, "unloaded by its pins alone, as this could not be looked at: " + report->unseen});
  }
  one.search.reset();
  return false;
}

}  // namespace autoreload
