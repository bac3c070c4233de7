// SPDX-License-Identifier: MIT
// holders: the search, step by step.
#include "autoreload/holders.hpp"

#include <link.h>

#include <algorithm>

#include "holders/memory_holders.hpp"
#include "holders/names.hpp"
#include "holders/thread_data.hpp"
#include "holders/threads.hpp"
#include "holders/words.hpp"
#include "system/mapped_file.hpp"

namespace autoreload {
namespace {

void limit(holder_report& report) {
  constexpr std::size_t most_named = holding::most_named;
  if (report.holders.size() <= most_named) return;
  report.more += report.holders.size() - most_named;
  report.holders.resize(most_named);
}

}  // namespace

std::optional<held_image> image_at(const void* address) {
  struct search {
    std::uintptr_t address;
    std::optional<held_image> found;
  } here{reinterpret_cast<std::uintptr_t>(address), std::nullopt};
  const auto visit = [](dl_phdr_info* object, std::size_t, void* into) -> int {
    auto& wanted = *static_cast<search*>(into);
    held_image image;
    image.base = object->dlpi_addr;
    bool inside = false;
    for (int i = 0; i < object->dlpi_phnum; ++i) {
      const ElfW(Phdr)& part = object->dlpi_phdr[i];
      if (part.p_type != PT_LOAD) continue;
      inside |= wanted.address - image.base - part.p_vaddr < part.p_memsz;
      image.segments.push_back({part.p_vaddr, part.p_memsz, (part.p_flags & PF_X) != 0});
    }
    if (inside) wanted.found = std::move(image);
    return inside ? 1 : 0;
  };
  dl_iterate_phdr(visit, &here);
  return std::move(here.found);
}

holder_report who_holds(const held_image& image, unload_policy policy, const std::atomic<bool>* cancelled) {
  using namespace holding;
  holder_report report;
  if (policy == unload_policy::pins || image.segments.empty()) return report;
  const target what(image);
  const bool all = policy == unload_policy::all;
  const thread_findings threads = look_at_threads(what, all, image.own_thread, cancelled);
  const std::vector<loaded_object> objects = loaded_objects(image.base);
  const mapped_file file(image.file);
  const std::vector<thread_block> blocks = thread_blocks(objects, threads.stacks);
  const naming names{image, file.bytes(), objects, blocks};
  report.unseen = threads.unseen;
  report.registers_unseen = threads.registers_unseen;
  report.more = threads.lost;
  report.holders = threads_in_words(names, threads);
  const std::vector<holder> handlers = signal_handlers(names);
  report.holders.insert(report.holders.end(), handlers.begin(), handlers.end());
  if (all) memory_holders(names, what, threads, cancelled, report);
  if (cancelled != nullptr && *cancelled) report.unseen = "all, as the search was ended early";
  limit(report);
  return report;
}

}  // namespace autoreload
