// SPDX-License-Identifier: MIT
// count_allocations: counts what each thread takes from the heap, by standing in for the C library's malloc. To be
// included by one file of a program. A sanitizer needs malloc for itself: there nothing is counted.
#pragma once

#include <cerrno>
#include <cstddef>
#include <cstdint>

#include "engine_support.hpp"

namespace support {

inline constinit thread_local std::uint64_t allocations = 0;

}  // namespace support

#ifndef SANITIZED
extern "C" {
void* __libc_malloc(std::size_t);
void* __libc_calloc(std::size_t, std::size_t);
void* __libc_realloc(void*, std::size_t);
void* __libc_memalign(std::size_t, std::size_t);

void* malloc(std::size_t size) {
  ++support::allocations;
  return __libc_malloc(size);
}
void* calloc(std::size_t count, std::size_t size) {
  ++support::allocations;
  return __libc_calloc(count, size);
}
void* realloc(void* old, std::size_t size) {
  ++support::allocations;
  return __libc_realloc(old, size);
}
void* memalign(std::size_t alignment, std::size_t size) {
  ++support::allocations;
  return __libc_memalign(alignment, size);
}
void* aligned_alloc(std::size_t alignment, std::size_t size) { return memalign(alignment, size); }
int posix_memalign(void** made, std::size_t alignment, std::size_t size) {
  *made = memalign(alignment, size);
  return *made != nullptr ? 0 : ENOMEM;
}
}
#endif
