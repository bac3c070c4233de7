// SPDX-License-Identifier: MIT
// heap_block: reads what glibc's malloc writes around a block; its neighbour's header must agree.
#include "state/heap_block.hpp"

#include <dlfcn.h>

#include <array>
#include <cstddef>
#include <span>
#include <string_view>

namespace autoreload::state {

namespace {

#ifdef __GLIBC__
// A sanitizer or a faster allocator may have taken malloc's place.
bool malloc_is_glibcs() {
  Dl_info malloc_place{};
  Dl_info free_place{};
  void* const malloc_at = dlsym(RTLD_DEFAULT, "malloc");
  void* const free_at = dlsym(RTLD_DEFAULT, "free");
  if (malloc_at == nullptr || free_at == nullptr || dladdr(malloc_at, &malloc_place) == 0 ||
      dladdr(free_at, &free_place) == 0 || malloc_place.dli_fname == nullptr) {
    return false;
  }
  const std::string_view name(malloc_place.dli_fname);
  return malloc_place.dli_fbase == free_place.dli_fbase && name.find("libc.so") != std::string_view::npos;
}

std::optional<std::uint64_t> word(process_memory& memory, std::uint64_t address) {
  std::uint64_t value = 0;
  if (!memory.read(address, std::as_writable_bytes(std::span(&value, 1)))) return std::nullopt;
  return value;
}
#endif

}  // namespace

std::optional<std::uint64_t> heap_block_size([[maybe_unused]] process_memory& memory,
                                             [[maybe_unused]] std::uint64_t address) {
#ifdef __GLIBC__
  static const bool known = malloc_is_glibcs();
  constexpr std::uint64_t header = 16;
  constexpr std::uint64_t flags = 7;
  constexpr std::uint64_t in_use_before = 1;
  constexpr std::uint64_t mapped = 2;
  constexpr std::uint64_t largest = std::uint64_t{1} << 40;
  if (!known || address % header != 0 || address < header) return std::nullopt;
  const auto own = word(memory, address - 8);
  if (!own) return std::nullopt;
  const std::uint64_t size = *own & ~flags;
  if (size < 2 * header || size % header != 0 || size > largest) return std::nullopt;
  if ((*own & mapped) != 0) {
    return size % 4096 == 0 && (address - header) % 4096 == 0 ? std::optional(size - header) : std::nullopt;
  }
  const auto next = word(memory, address - header + size + 8);
  if (!next || (*next & in_use_before) == 0 || (*next & ~flags) < header || *next > largest) return std::nullopt;
  return size - 8;
#else
  return std::nullopt;
#endif
}

}  // namespace autoreload::state
