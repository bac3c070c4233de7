// SPDX-License-Identifier: MIT
// memory: copies what is in use, through the kernel, into a buffer that stays in the processor's cache.
#include "holders/memory.hpp"

#include <pthread.h>
#include <sys/mman.h>

#include <algorithm>
#include <new>

#include "system/own_memory.hpp"

namespace autoreload::holding {
namespace {

constexpr std::size_t piece_size = std::size_t{128} << 10;

void copy_range(memory_range range, const copied_words& into, const std::atomic<bool>* cancelled,
                const std::function<void(const memory_piece&)>& visit) {
  while (range.begin < range.end && (cancelled == nullptr || !*cancelled)) {
    const std::size_t wanted = std::min(range.end - range.begin, piece_size);
    const std::size_t got = copy_memory(range.begin, into.words(), wanted);
    if (got >= sizeof(std::uint64_t)) visit({range.begin, {into.words(), got / sizeof(std::uint64_t)}});
    // What is gone meanwhile, or can't be read, holds nothing that anybody follows.
    range.begin += got == wanted ? got : (got & ~(page_size() - 1)) + page_size();
  }
}

}  // namespace

copied_words::copied_words(std::size_t size) : size_(size), words_(nullptr) {
  void* const memory = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  words_ = static_cast<std::uint64_t*>(memory);
}

copied_words::~copied_words() { munmap(words_, size_); }

void left_out::sort() {
  std::sort(ranges_.begin(), ranges_.end(),
            [](const memory_range& a, const memory_range& b) { return a.begin < b.begin; });
}

bool each_piece(const mapping_list& all, const left_out& out, const std::atomic<bool>* cancelled,
                const std::function<void(const memory_piece&)>& visit) {
  const copied_words buffer(piece_size);
  const page_map pages;
  for (const mapping& one : all) {
    if (!one.readable || !one.writable || one.shared) continue;
    if (cancelled != nullptr && *cancelled) return false;
    out.each_other(one.where, [&](memory_range part) {
      part.begin = (part.begin + 7) & ~std::uintptr_t{7};
      pages.each_used(part, [&](memory_range used) { copy_range(used, buffer, cancelled, visit); });
    });
  }
  return cancelled == nullptr || !*cancelled;
}

memory_range stack_of_this_thread() {
  pthread_attr_t attributes;
  void* low = nullptr;
  std::size_t size = 0;
  if (pthread_getattr_np(pthread_self(), &attributes) != 0) return {};
  const bool known = pthread_attr_getstack(&attributes, &low, &size) == 0;
  pthread_attr_destroy(&attributes);
  const auto begin = reinterpret_cast<std::uintptr_t>(low);
  return known ? memory_range{begin, begin + size} : memory_range{};
}

}  // namespace autoreload::holding
