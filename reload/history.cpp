// SPDX-License-Identifier: MIT
// history: transitions are splices of lists, which can't fail.
#include "reload/history.hpp"

#include <unistd.h>

#include <algorithm>
#include <utility>

#include "digest/digest.hpp"

namespace autoreload {
namespace {

std::string hexadecimal(std::span<const std::byte> bytes) {
  std::string digits;
  for (const std::byte one : bytes) {
    for (const unsigned half : {std::to_integer<unsigned>(one) >> 4, std::to_integer<unsigned>(one) & 15U}) {
      digits += "0123456789abcdef"[half];
    }
  }
  return digits;
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

const generation* history::kept(std::uint64_t number) const {
  const auto found =
      std::find_if(kept_.begin(), kept_.end(), [&](const generation& one) { return one.number == number; });
  return found == kept_.end() ? nullptr : &*found;
}

std::vector<generation_record> history::records() const {
  std::vector<generation_record> all;
  const auto add = [&](const generations& list, generation_state state) {
    for (const generation& one : list) {
      all.push_back({one.number, state, one.why, one.since, hexadecimal(one.facts.build_id), contents_of(one)});
    }
  };
  add(running_, generation_state::running);
  add(kept_, generation_state::kept);
  add(retiring_.waiting(), generation_state::retiring);
  std::sort(all.begin(), all.end(), [](auto& a, auto& b) { return a.number > b.number; });
  return all;
}

void history::publish(generations& next, cause why, bool keep) noexcept {
  generation& made = next.front();
  made.why = why;
  made.since = std::chrono::system_clock::now();
  last_ = std::max(last_, made.number);
  sent_away_.reset();
  running_.swap(next);
  leave(next, keep);
}

void history::republish(std::uint64_t number, sent_away instead, bool keep) noexcept {
  const auto found =
      std::find_if(kept_.begin(), kept_.end(), [&](const generation& one) { return one.number == number; });
  if (found == kept_.end()) return;
  generations back;
  back.splice(back.end(), kept_, found);
  publish(back, cause::republished, keep);
  sent_away_ = std::move(instead);
}

void history::close(bool keep) noexcept {
  retiring_.add(running_, keep);
  retiring_.add(kept_, true);
  retiring_.abandon();
}

void history::leave(generations& old, bool keep) noexcept {
  if (old.empty()) return;
  if (keep) {
    kept_.splice(kept_.end(), old);
    return;
  }
  retiring_.add(old, false);
  sweep_pause_ = std::chrono::milliseconds(0);
  sweep_at_ = waiting_since_ = std::chrono::steady_clock::now();
}

std::chrono::milliseconds history::pause_after(std::chrono::milliseconds last, std::chrono::milliseconds waited) {
  using std::chrono::milliseconds;
  const milliseconds grown = std::clamp(last * 2, milliseconds(1), milliseconds(250));
  return std::clamp(waited / 8, grown, milliseconds(std::chrono::seconds(30)));
}

std::vector<retirement> history::sweep(time_point now) {
  // First, so that a sweep for which there is no memory is not tried again at once.
  sweep_pause_ = pause_after(sweep_pause_, std::chrono::duration_cast<std::chrono::milliseconds>(now - waiting_since_));
  sweep_at_ = now + sweep_pause_;
  std::vector<retirement> done = retiring_.sweep();
  if (!retiring_.pending()) sweep_at_ = waiting_since_ = never;
  return done;
}

}  // namespace autoreload
