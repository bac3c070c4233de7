// SPDX-License-Identifier: MIT
// loaders_words: tells the loader's and the C library's own books about a library from somebody's pointers into it.
#pragma once

#include <cstdint>
#include <vector>

#include <autoreload/unload.hpp>

#include "holders/names.hpp"
#include "holders/target.hpp"

namespace autoreload::holding {

/// What dlclose itself takes back: the loader's record of the library, and the registrations that carry the library's
/// handle (atexit, C++ destructors, pthread_atfork). Also the destructor of a thread key that was deleted. Nothing with
/// another C library than glibc.
class loaders_words {
 public:
  loaders_words(const held_image& image, const std::vector<loaded_object>& objects);
  [[nodiscard]] bool has(const word_found& word) const;

 private:
  [[nodiscard]] bool is_library_handle(std::uint64_t word) const;
  [[nodiscard]] bool is_registration(std::uintptr_t at) const;
  [[nodiscard]] bool is_deleted_key(std::uintptr_t at) const;

  target what_;
  std::uintptr_t record_;             // the link map
  std::vector<memory_range> blocks_;  // of it, and of what it leads to
  memory_range keys_;                 // the C library's table of thread keys; empty: not known
};

/// The loader's record of the object that has an address, or 0.
[[nodiscard]] std::uintptr_t loaders_record(std::uintptr_t address) noexcept;

}  // namespace autoreload::holding
