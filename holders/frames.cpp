// SPDX-License-Identifier: MIT
// frames: goes from a call to its caller, whose registers the unwind tables tell.
#include "holders/frames.hpp"

#include <link.h>

#include <algorithm>
#include <optional>

#include "holders/unwind_rules.hpp"
#include "holders/unwind_table.hpp"

namespace autoreload::holding {

unseen_list<unwound_object> unwound_objects() {
  unseen_list<unwound_object> all;
  dl_iterate_phdr(
      [](dl_phdr_info* one, std::size_t, void* into) {
        unwound_object made{~std::uintptr_t{0}, 0, 0};
        for (int i = 0; i < one->dlpi_phnum; ++i) {
          const ElfW(Phdr)& part = one->dlpi_phdr[i];
          const std::uintptr_t at = one->dlpi_addr + part.p_vaddr;
          if (part.p_type == PT_GNU_EH_FRAME) made.table = at;
          if (part.p_type != PT_LOAD) continue;
          made.begin = std::min(made.begin, at);
          made.end = std::max(made.end, at + part.p_memsz);
        }
        if (made.table != 0 && made.begin < made.end) static_cast<unseen_list<unwound_object>*>(into)->push_back(made);
        return 0;
      },
      &all);
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.begin < b.begin; });
  return all;
}

frame_walk::step frame_walk::next() noexcept {
  const std::uintptr_t at = here().instruction - (interrupted_ ? 0 : 1);
  const auto after = std::upper_bound(objects_.begin(), objects_.end(), at,
                                      [](std::uintptr_t a, const unwound_object& one) { return a < one.begin; });
  if (after == objects_.begin() || std::prev(after)->end <= at) return step::lost;
  const std::optional<unwind_entry> entry = find_entry(std::prev(after)->table, at);
  if (!entry || entry->return_register != frame_registers::instruction) return step::lost;
  const std::optional<unwind_rules> how = rules_at(*entry, at);
  if (!how) return step::lost;
  const std::optional<std::uint64_t> frame = frame_of(*how, now_);
  if (how->of[frame_registers::instruction].what == unwind_rule::is::unknown) return step::end;
  if (!frame) return step::lost;
  frame_registers before;
  for (std::size_t i = 0; i < frame_registers::count; ++i) {
    if (const auto value = value_of(how->of[i], i, *frame, now_)) before.set(i, *value);
  }
  if (how->of[frame_registers::stack_pointer].what == unwind_rule::is::same) {
    before.set(frame_registers::stack_pointer, *frame);
  }
  if (!before.has(frame_registers::instruction) || !before.has(frame_registers::stack_pointer)) return step::lost;
  if (before.value[frame_registers::instruction] == 0) return step::end;
  // A table that says that nothing changed would be followed for ever.
  if (!entry->is_signals && before.value[frame_registers::stack_pointer] <= stack_pointer()) return step::lost;
  now_ = before;
  interrupted_ = entry->is_signals;
  return step::made;
}

}  // namespace autoreload::holding
