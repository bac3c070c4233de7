// SPDX-License-Identifier: MIT
// thread_data: follows glibc's table of thread-local blocks, which each thread's pointer leads to.
#include "holders/thread_data.hpp"

#include <pthread.h>

#include <algorithm>
#include <optional>

#include "holders/mappings.hpp"
#include "system/mapped_file.hpp"
#include "system/own_memory.hpp"
#include "system/thread_files.hpp"

namespace autoreload::holding {
namespace {

std::optional<std::uint64_t> word_at(std::uintptr_t address) {
  std::uint64_t word = 0;
  if (copy_memory(address, &word, sizeof word) != sizeof word) return std::nullopt;
  return word;
}

// Where a thread's block of an object is; 0 as long as it has none.
std::uintptr_t block_of([[maybe_unused]] std::uintptr_t thread_pointer, [[maybe_unused]] std::size_t module) {
#if defined(__GLIBC__) && defined(__x86_64__)
  const auto table = word_at(thread_pointer + 8);
  if (!table || *table == 0) return 0;
  const auto length = word_at(*table - 16);  // the entry before the first counts them
  if (!length || module > *length) return 0;
  const auto block = word_at(*table + 16 * module);
  return block && *block != ~std::uint64_t{0} ? *block : 0;
#else
  return 0;
#endif
}

#if defined(__GLIBC__) && defined(__x86_64__)
// At its upper end lies the thread's descriptor: it begins with its own address, has that once more two words on, and
// the number of the thread, which the kernel clears at the thread's end.
bool is_end_of_idle_stack(memory_range mapping, std::uintptr_t end) {
  constexpr std::size_t end_size = 8192;
  constexpr std::size_t number_at = 720 / sizeof(std::uint64_t);
  const std::size_t size = std::min<std::size_t>(end_size, end - mapping.begin);
  std::vector<std::uint64_t> words(size / sizeof(std::uint64_t));
  const std::uintptr_t from = end - words.size() * sizeof(std::uint64_t);
  words.resize(copy_memory(from, words.data(), words.size() * sizeof(std::uint64_t)) / sizeof(std::uint64_t));
  bool idle = false;
  for (std::size_t i = 0; i + number_at < words.size() && !idle; ++i) {
    const std::uint64_t here = from + i * sizeof(std::uint64_t);
    idle = words[i] == here && words[i + 2] == here && static_cast<std::uint32_t>(words[i + number_at]) == 0;
  }
  std::fill(words.begin(), words.end(), 0);  // no copy is to be found
  return idle;
}

// Without its guard; 0: not known.
std::size_t usual_stack_size() {
  pthread_attr_t attributes;
  std::size_t size = 0;
  std::size_t guard = 0;
  if (pthread_getattr_default_np(&attributes) != 0) return 0;
  const bool known =
      pthread_attr_getstacksize(&attributes, &size) == 0 && pthread_attr_getguardsize(&attributes, &guard) == 0;
  pthread_attr_destroy(&attributes);
  return known && guard < size ? size - guard : 0;
}
#endif

}  // namespace

std::vector<thread_block> thread_blocks(const std::vector<loaded_object>& objects,
                                        const unseen_list<live_stack>& stacks) {
  std::vector<thread_block> all;
  for (const live_stack& stack : stacks) {
    if (stack.thread_pointer == 0) continue;
    for (const loaded_object& object : objects) {
      if (object.thread_module == 0 || object.thread_size == 0) continue;
      const std::uintptr_t at = block_of(stack.thread_pointer, object.thread_module);
      if (at != 0) all.push_back({stack.thread, &object, {at, at + object.thread_size}});
    }
  }
  return all;
}

std::string thread_variable_in_words(const thread_block& block, std::uintptr_t address) {
  const mapped_file file(block.object->name.c_str());
  const std::string name = symbol_at(file.bytes(), address - block.where.begin, symbol_kind::thread_local_variable);
  return (name.empty() ? "thread-local data" : "thread-local variable " + name) + " of \"" + block.object->name +
         "\" in " + words_of_thread(block.thread);
}

std::uintptr_t end_of_idle_stack([[maybe_unused]] memory_range mapping) {
#if defined(__GLIBC__) && defined(__x86_64__)
  if (is_end_of_idle_stack(mapping, mapping.end)) return mapping.end;
  // The kernel makes one mapping of a stack and of what lies behind it. Most stacks have the same size.
  static const std::size_t usual = usual_stack_size();
  if (usual == 0 || usual >= mapping.end - mapping.begin) return 0;
  const std::uintptr_t end = mapping.begin + usual;
  return is_end_of_idle_stack(mapping, end) ? end : 0;
#else
  return 0;
#endif
}

}  // namespace autoreload::holding
