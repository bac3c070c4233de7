// SPDX-License-Identifier: MIT
// forget: first the bytes of the file, then what the loader had put into them.
#include "state/forget.hpp"

#include <algorithm>
#include <cstring>
#include <span>
#include <unordered_map>

#include "state/carrier_run.hpp"

namespace autoreload::state {

namespace {

const memory_range* holding(const std::vector<memory_range>& sorted, std::uint64_t address) {
  const auto after = std::upper_bound(sorted.begin(), sorted.end(), address,
                                      [](std::uint64_t a, const memory_range& r) { return a < r.address; });
  if (after == sorted.begin()) return nullptr;
  const memory_range& before = *std::prev(after);
  const bool inside = before.size >= sizeof(void*) && address - before.address <= before.size - sizeof(void*);
  return inside ? &before : nullptr;
}

}  // namespace

void forget(const side& build, std::vector<memory_range> what) {
  const image& file = *build.file;
  std::erase_if(what, [&](const memory_range& r) { return r.size == 0 || !file.is_writable(r.address, r.size); });
  std::sort(what.begin(), what.end(),
            [](const memory_range& a, const memory_range& b) { return a.address < b.address; });
  std::unordered_map<std::uint64_t, std::uint64_t> words;
  file.each_relocation([&](std::uint64_t address, const reference& to) {
    if (holding(what, address) == nullptr) return;
    words.emplace(address, to.symbol.empty() ? build.base + to.address : read_pointer(build.at(address)));
  });
  for (const memory_range& r : what) {
    std::byte* const at = build.at(r.address);
    if (file.starts_empty(r.address, r.size)) {
      std::memset(at, 0, r.size);
    } else {
      static_cast<void>(file.initial(r.address, {at, r.size}));
    }
  }
  for (const auto& [address, value] : words) write_pointer(build.at(address), value);
}

}  // namespace autoreload::state
