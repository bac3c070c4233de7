// SPDX-License-Identifier: MIT
// loaders_words: knows how glibc keeps its books.
//
// BOOKS  - struct link_map, one block of malloc's, with addresses of the library's tables; and the blocks that it leads
//          to, such as the names of needed versions, which lie in the library's string table.
//        - the table of _dl_find_object: start, end, link map and unwind table of each library.
//        - struct exit_function: 4, the function (hidden), its argument, the library's handle. dlclose calls and clears
//          what carries the library's handle.
//        - struct fork_handler: three functions and the library's handle. dlclose clears it, too.
//        - the destructors of thread-local objects: function (hidden), object, link map. dlclose waits for them.
//        - the table of thread keys: a count that is odd while the key is in use, and the destructor, which stays there
//          when the key is deleted. The table has no name, but a key of our own shows where it is.
//        The library's handle is the address of __dso_handle, a variable of the library that holds its own address.
#include "holders/loaders_words.hpp"

#include <dlfcn.h>
#include <limits.h>
#include <pthread.h>

#include <algorithm>
#include <array>
#include <cstddef>

#include "holders/mappings.hpp"
#include "system/own_memory.hpp"

namespace autoreload::holding {
namespace {

constexpr std::size_t word_size = sizeof(std::uint64_t);

std::uint64_t word_at(std::uintptr_t address) {
  std::uint64_t word = 0;
  return copy_memory(address, &word, sizeof word) == sizeof word ? word : 0;
}

// What malloc wrote before a block; 0 when that makes no sense.
std::size_t size_of_block(std::uintptr_t block) {
  const std::uint64_t size = word_at(block - word_size) & ~std::uint64_t{7};
  constexpr std::uint64_t most = std::uint64_t{1} << 16;
  return size >= 32 && size <= most ? size - word_size : 0;
}

void nothing(void*) noexcept {}

memory_range table_of_keys(const std::vector<loaded_object>& objects) {
#ifdef __GLIBC__
  const loaded_object* const library = find_object(objects, reinterpret_cast<std::uintptr_t>(&pthread_key_create));
  pthread_key_t key{};
  if (library == nullptr || pthread_key_create(&key, &nothing) != 0) return {};
  const auto wanted = reinterpret_cast<std::uintptr_t>(&nothing);
  memory_range table;
  for (const memory_range& part : library->writable) {
    std::vector<std::uint64_t> words((part.end - part.begin) / word_size);
    words.resize(copy_memory(part.begin, words.data(), words.size() * word_size) / word_size);
    const auto found = std::find(words.begin(), words.end(), wanted);
    if (found != words.end()) {
      const std::uintptr_t at = part.begin + static_cast<std::uintptr_t>(found - words.begin()) * word_size;
      table.begin = at - word_size - key * 2 * word_size;
      table.end = table.begin + PTHREAD_KEYS_MAX * 2 * word_size;
    }
    std::fill(words.begin(), words.end(), 0);  // no copy of them is to be found
  }
  pthread_key_delete(key);
  return table;
#else
  (void)objects;
  return {};
#endif
}

}  // namespace

std::uintptr_t loaders_record([[maybe_unused]] std::uintptr_t address) noexcept {
#ifdef __GLIBC__
#if __GLIBC_PREREQ(2, 35)
  dl_find_object found{};
  if (_dl_find_object(reinterpret_cast<void*>(address), &found) == 0) {
    return reinterpret_cast<std::uintptr_t>(found.dlfo_link_map);
  }
#endif
#endif
  return 0;
}

loaders_words::loaders_words(const held_image& image, const std::vector<loaded_object>& objects)
    : what_(image), record_(reinterpret_cast<std::uintptr_t>(image.handle)), keys_(table_of_keys(objects)) {
#ifdef __GLIBC__
  if (record_ == 0 && what_.count > 0) record_ = loaders_record(image.base + what_.low);
  if (record_ == 0) return;
  const std::size_t size = std::max<std::size_t>(size_of_block(record_), 1024);
  blocks_.push_back({record_, record_ + size});
  std::vector<std::uint64_t> words(size / word_size);
  words.resize(copy_memory(record_, words.data(), words.size() * word_size) / word_size);
  for (std::uint64_t& word : words) {
    if (what_.leads_to(word) != leads::nowhere) {
      word = 0;  // no copy of it is to be found
    } else if (word % 16 == 0 && word > page_size()) {
      if (const std::size_t block = size_of_block(word); block != 0) blocks_.push_back({word, word + block});
    }
  }
#endif
}

bool loaders_words::is_library_handle(std::uint64_t word) const {
  return what_.leads_to(word) == leads::data && word_at(word) == word;
}

// Whether the word is part of one that carries the library's handle.
bool loaders_words::is_registration(std::uintptr_t at) const {
  constexpr std::uint64_t kind = 4;     // ef_cxa
  std::array<std::uint64_t, 7> near{};  // from three words before it to three words behind
  const std::uintptr_t from = at - 3 * word_size;
  if (copy_memory(from, near.data(), sizeof near) != sizeof near) return false;
  const auto word = [&](int offset) { return near.at(static_cast<unsigned>(3 + offset)); };
  for (int handle = 0; handle <= 3; ++handle) {
    if (!is_library_handle(word(handle))) continue;
    return (handle <= 2 && word(handle - 3) == kind)        // exit_function
           || what_.leads_to(word(handle)) == leads::data;  // fork_handler
  }
  return word(2) == record_;  // a thread-local object's destructor
}

bool loaders_words::is_deleted_key(std::uintptr_t at) const {
  if (at < keys_.begin || at >= keys_.end || (at - keys_.begin) % (2 * word_size) != word_size) return false;
  return word_at(at - word_size) % 2 == 0;
}

bool loaders_words::has(const word_found& word) const {
  if (record_ == 0) return false;
  const auto inside = [&](const memory_range& one) { return word.at >= one.begin && word.at < one.end; };
  if (std::any_of(blocks_.begin(), blocks_.end(), inside)) return true;
  return word_at(word.at - word_size) == record_ || is_registration(word.at) || is_deleted_key(word.at);
}

}  // namespace autoreload::holding
