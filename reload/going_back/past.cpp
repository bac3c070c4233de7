// SPDX-License-Identifier: MIT
// past: what there is to say of generations, and how those that gave way run again, or never.
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>

#include "digest/digest.hpp"
#include "reload/history/history.hpp"
#include "system/hexadecimal.hpp"

namespace autoreload {
namespace {

template <class List>
auto find(List& list, std::uint64_t number) {
  return std::find_if(list.begin(), list.end(), [&](const generation& one) { return one.number == number; });
}

}  // namespace

std::uint64_t contents_of(const generation& one) {
  std::uint64_t digest = 0;
  if (!one.image.memory.still_ours()) return digest;  // somebody closed it behind us
  for (const load_segment& segment : one.facts.segments) {
    std::vector<std::byte> bytes(segment.file_size);
    const ssize_t got = pread(one.image.memory.get(), bytes.data(), bytes.size(), static_cast<off_t>(segment.offset));
    bytes.resize(static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    for (const snapshot::change& change : one.image.changes) {
      for (std::size_t i = 0; i < change.original.size(); ++i) {
        const std::uint64_t at = change.offset + i - segment.offset;  // far beyond the end if it is before the start
        if (at < bytes.size()) bytes[at] = static_cast<std::byte>(change.original[i]);
      }
    }
    digest = crc64(bytes, digest);
  }
  return digest;
}

std::uint64_t contents_of(std::span<const std::byte> file, const elf_facts& facts) {
  std::uint64_t digest = 0;
  for (const load_segment& segment : facts.segments) {
    digest = crc64(file.subspan(segment.offset, segment.file_size), digest);
  }
  return digest;
}

std::string_view to_string(generation_state state) noexcept {
  switch (state) {
    case generation_state::running: return "running";
    case generation_state::kept: return "kept";
    case generation_state::retiring: return "retiring";
    case generation_state::stored: return "stored";
    case generation_state::quarantined: return "quarantined";
  }
  return "unknown";
}

std::vector<generation_record> history::records() const {
  std::vector<generation_record> all;
  const auto add = [&](const generations& list, generation_state state) {
    for (const generation& one : list) {
      all.push_back({one.number, one.quarantined ? generation_state::quarantined : state, one.why, one.since,
                     hexadecimal(one.facts.build_id), contents_of(one), one.image.size, one.went});
    }
  };
  add(running_, generation_state::running);
  add(kept_, generation_state::kept);
  add(quarantined_, generation_state::quarantined);
  add(retiring_.waiting(), generation_state::retiring);
  add(stored_, generation_state::stored);
  std::sort(all.begin(), all.end(), [](auto& a, auto& b) { return a.number > b.number; });
  return all;
}

const generation* history::loaded(std::uint64_t number) const {
  const auto found = find(kept_, number);
  return found == kept_.end() ? retiring_.loaded(number) : &*found;
}

generation* history::find_loaded(std::uint64_t number) {
  if (generation* const now = running(); now != nullptr && now->number == number) return now;
  return const_cast<generation*>(loaded(number));  // NOLINT: all of them are ours
}

const generation* history::stored(std::uint64_t number) const {
  const auto found = find(stored_, number);
  return found == stored_.end() ? nullptr : &*found;
}

bool history::is_quarantined(std::uint64_t number) const {
  const generation* const now = running();
  return find(quarantined_, number) != quarantined_.end() ||
         (now != nullptr && now->number == number && now->quarantined);
}

std::uint64_t history::last_good() const {
  const generation* best = nullptr;
  for (const generations* const list : {&stored_, &retiring_.waiting(), &kept_}) {
    for (const generation& one : *list) {
      if (one.sent_away || (list == &retiring_.waiting() && one.leaves())) continue;
      if (one.number == protected_) return protected_;
      if (best == nullptr || one.retired >= best->retired) best = &one;
    }
  }
  return best == nullptr ? 0 : best->number;
}

void history::republish(std::uint64_t number, std::string went) noexcept {
  generations back;
  if (const auto found = find(kept_, number); found != kept_.end()) {
    back.splice(back.end(), kept_, found);
  } else if (!retiring_.take_back(number, back)) {
    return;
  }
  back.front().sent_away = false;
  publish(back, cause::republished, std::move(went));
}

void history::mark_bad(std::uint64_t number) noexcept {
  for (generations* const list : {&running_, &kept_, &stored_}) {
    if (const auto found = find(*list, number); found != list->end()) found->sent_away = true;
  }
  retiring_.mark_bad(number);
}

void history::drop(std::uint64_t number) {
  stored_.remove_if([&](const generation& one) { return one.number == number; });
}

bool history::quarantine(std::uint64_t number, std::string went) noexcept {
  if (is_quarantined(number)) return false;
  if (generation* const now = running(); now != nullptr && now->number == number) {
    now->quarantined = now->sent_away = true;
    return true;
  }
  generations ill;
  if (const auto found = find(kept_, number); found != kept_.end()) {
    ill.splice(ill.end(), kept_, found);
  } else if (!retiring_.take_back(number, ill)) {
    return false;
  }
  ill.front().quarantined = ill.front().sent_away = true;
  ill.front().went = std::move(went);
  quarantined_.splice(quarantined_.end(), ill);
  return true;
}

const error* history::refuses(std::uint64_t contents, std::uint64_t needs_state, bool on_request) const {
  const auto found = std::find_if(sent_away_.begin(), sent_away_.end(), [&](const sent_away& one) {
    return one.contents == contents && one.needs_state == needs_state && (one.for_good || !on_request);
  });
  return found == sent_away_.end() ? nullptr : &found->why;
}

void history::send_away(std::uint64_t number, sent_away build) {
  // Those that are quarantined cost more than a line here, and are never forgotten.
  constexpr std::ptrdiff_t most = 1024;
  const auto may_come_back = [](const sent_away& one) { return !one.for_good; };
  if (std::count_if(sent_away_.begin(), sent_away_.end(), may_come_back) >= most) {
    sent_away_.erase(std::find_if(sent_away_.begin(), sent_away_.end(), may_come_back));
  }
  sent_away_.push_back(std::move(build));
  mark_bad(number);
}

void history::welcome(std::uint64_t contents) {
  std::erase_if(sent_away_, [&](const sent_away& one) { return one.contents == contents && !one.for_good; });
}

void history::forget_sent_away() {
  std::erase_if(sent_away_, [](const sent_away& one) { return !one.for_good; });
}

}  // namespace autoreload
