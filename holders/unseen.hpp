// SPDX-License-Identifier: MIT
// unseen: memory that the search doesn't look at, for what it notes itself.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <new>
#include <vector>

namespace autoreload::holding {

/// Gives memory that is mapped as shared, which is not looked at, and gives it back to the kernel: on the heap the
/// addresses in it would be found as somebody's pointers, also after they were freed. For few and long lists.
template <class T>
struct unseen_allocator {
  using value_type = T;
  unseen_allocator() = default;
  template <class U>
  unseen_allocator(const unseen_allocator<U>&) noexcept {}  // NOLINT: an allocator converts
  [[nodiscard]] T* allocate(std::size_t count) {
    if (count > ~std::size_t{0} / sizeof(T)) throw std::bad_alloc();
    void* const memory = mmap(nullptr, count * sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) throw std::bad_alloc();
    return static_cast<T*>(memory);
  }
  void deallocate(T* memory, std::size_t count) noexcept { munmap(memory, count * sizeof(T)); }
  friend bool operator==(const unseen_allocator&, const unseen_allocator&) noexcept { return true; }
};

template <class T>
using unseen_list = std::vector<T, unseen_allocator<T>>;

}  // namespace autoreload::holding
