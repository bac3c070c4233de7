// SPDX-License-Identifier: MIT
// heap_pointers: compares each word with the process's mappings.
#include "exec/heap_pointers.hpp"

#include <link.h>

#include <algorithm>
#include <vector>

#include "holders/mappings.hpp"
#include "holders/memory.hpp"
#include "holders/target.hpp"
#include "system/own_memory.hpp"

namespace autoreload::exec {
namespace {

struct search {
  std::uintptr_t base;
  std::uintptr_t end;
  holding::unseen_list<memory_range> writable{};
  holding::left_out out{};
};

int visit(dl_phdr_info* one, std::size_t, void* into) {
  search& here = *static_cast<search*>(into);
  if (one->dlpi_addr != here.base) return 0;
  for (int i = 0; i < one->dlpi_phnum; ++i) {
    const ElfW(Phdr)& part = one->dlpi_phdr[i];
    const std::uintptr_t begin = here.base + part.p_vaddr;
    const memory_range range{begin, std::min(begin + part.p_memsz, here.end)};
    if (part.p_type == PT_LOAD && (part.p_flags & PF_W) != 0 && begin < here.end) here.writable.push_back(range);
    // What the loader froze has addresses of the loader's.
    if (part.p_type == PT_GNU_RELRO) here.out.add(range);
  }
  return 1;
}

bool is_allocated(const holding::mapping_list& all, std::uint64_t word) {
  const holding::mapping* const one = word % sizeof(void*) == 0 ? holding::find_mapping(all, word) : nullptr;
  return one != nullptr && one->writable && !one->shared && (one->name.empty() || one->name == "[heap]");
}

}  // namespace

std::size_t count_heap_pointers(std::uintptr_t base, std::uintptr_t end, std::span<const memory_range> but) {
  search here{base, end};
  for (const memory_range& one : but) here.out.add(one);
  dl_iterate_phdr(&visit, &here);
  here.out.sort();
  holding::mapping_list all = holding::read_mappings(holding::target({}));
  // Variables that begin as zeros lie in memory without a file, too.
  std::erase_if(all, [&](const holding::mapping& one) {
    return std::any_of(here.writable.begin(), here.writable.end(),
                       [&](const memory_range& own) { return one.where.begin < own.end && own.begin < one.where.end; });
  });
  std::size_t count = 0;
  const holding::copied_words room(std::size_t{1} << 16U);
  for (const memory_range& part : here.writable) {
    here.out.each_other(part, [&](memory_range left) {
      for (left.begin = (left.begin + 7) & ~std::uintptr_t{7}; left.begin < left.end; left.begin += room.size()) {
        const std::size_t size = std::min(left.end - left.begin, room.size());
        const std::span<const std::uint64_t> words(room.words(), copy_memory(left.begin, room.words(), size) / 8);
        count += static_cast<std::size_t>(
            std::count_if(words.begin(), words.end(), [&](std::uint64_t word) { return is_allocated(all, word); }));
      }
    });
  }
  return count;
}

}  // namespace autoreload::exec
