// SPDX-License-Identifier: MIT
// process_memory: process_vm_readv on oneself needs no privilege; it answers EFAULT where a plain load would crash.
#include "state/process_memory.hpp"

#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace autoreload::state {

const std::byte* process_memory::find(std::uint64_t number) {
  if (number == last_) return last_bytes_;
  const auto [known, fresh] = pages_.try_emplace(number);
  if (fresh) {
    bytes copy(new std::byte[page]);
    if (read_now(number * page, {copy.get(), page})) known->second = std::move(copy);
  }
  last_ = number;
  last_bytes_ = known->second.get();
  return last_bytes_;
}

bool process_memory::read(std::uint64_t address, std::span<std::byte> into) {
  if (address + into.size() < address) return false;
  while (!into.empty()) {
    const std::byte* const from = find(address / page);
    if (from == nullptr) return false;
    const std::size_t at = address % page;
    const std::size_t here = std::min(into.size(), page - at);
    std::memcpy(into.data(), from + at, here);
    address += here;
    into = into.subspan(here);
  }
  return true;
}

bool process_memory::read_now(std::uint64_t address, std::span<std::byte> into) noexcept {
  const iovec target{into.data(), into.size()};
  const iovec source{reinterpret_cast<void*>(address), into.size()};
  return process_vm_readv(getpid(), &target, 1, &source, 1, 0) == static_cast<ssize_t>(into.size());
}

bool process_memory::write(std::uint64_t address, std::span<const std::byte> from) noexcept {
  const iovec source{const_cast<std::byte*>(from.data()), from.size()};
  const iovec target{reinterpret_cast<void*>(address), from.size()};
  return process_vm_writev(getpid(), &source, 1, &target, 1, 0) == static_cast<ssize_t>(from.size());
}

void process_memory::write(std::span<const new_word> words) noexcept {
  constexpr std::size_t most = 256;  // the kernel takes 1024 places at once
  std::array<std::uint64_t, most> values;
  std::array<iovec, most> places;
  while (!words.empty()) {
    const std::size_t count = std::min(words.size(), most);
    for (std::size_t i = 0; i < count; ++i) {
      values[i] = words[i].value;
      places[i] = {reinterpret_cast<void*>(words[i].address), sizeof words[i].value};
    }
    const iovec source{values.data(), count * sizeof values[0]};
    const ssize_t put = process_vm_writev(getpid(), &source, 1, places.data(), count, 0);
    const std::size_t done = put < 0 ? 0 : static_cast<std::size_t>(put) / sizeof values[0];
    words = words.subspan(done == count ? count : done + 1);  // the next one can't be written
  }
}

bool process_memory::works() {
  std::uint64_t known = 0x5eed;
  std::uint64_t copy = 0;
  return read_now(reinterpret_cast<std::uintptr_t>(&known), std::as_writable_bytes(std::span(&copy, 1))) &&
         copy == known;
}

}  // namespace autoreload::state
