// SPDX-License-Identifier: MIT
// written: the words that the loader writes, and the arrays of functions that it calls.
#include "reload/inspect/written.hpp"

namespace autoreload::inspecting {

written_words::written_words(image& lib) : lib_(lib), init_{"DT_INIT_ARRAY"}, fini_{"DT_FINI_ARRAY"} {
  init_.address = lib.dynamic[DT_INIT_ARRAY], init_.count = lib.dynamic[DT_INIT_ARRAYSZ] / 8;
  fini_.address = lib.dynamic[DT_FINI_ARRAY], fini_.count = lib.dynamic[DT_FINI_ARRAYSZ] / 8;
}

outcome written_words::arrays_are_inside() {
  for (const function_array* array : {&init_, &fini_}) {
    if (array->count == 0 || (writable(array->address, array->count * 8) && array->address % 8 == 0)) continue;
    return damaged(std::string(array->name) + ", " + grouped(array->count) + " functions at " + hex(array->address) +
                   ", is not in a writable segment");
  }
  return passed;
}

outcome written_words::arrays_are_relocated() const {
  for (const function_array* array : {&init_, &fini_}) {
    if (array->relocated != array->count) {
      return damaged(std::string(array->name) + " has " + grouped(array->count) + " functions, but " +
                     grouped(array->relocated) + " of them are relocated");
    }
  }
  return passed;
}

outcome written_words::array_entry_is_sound(std::uint64_t target, std::optional<std::uint64_t> function) {
  function_array* const array = init_.holds(target) ? &init_ : fini_.holds(target) ? &fini_ : nullptr;
  if (array == nullptr) return passed;
  if (!array->relocate(target)) {
    return damaged(std::string("an entry of ") + array->name + " is relocated twice or in its middle");
  }
  if (!function) return passed;
  return is_callable(*function, std::string("a function of ") + array->name);
}

outcome written_words::is_callable(std::uint64_t address, const std::string& what) const {
  switch (look_at_code(lib_, address)) {
    case code_at::there: return passed;
    case code_at::outside: return damaged(what + " is at " + hex(address) + ", where no code is");
    case code_at::inside: return damaged(what + " is at " + hex(address) + ", in the middle of another");
    case code_at::zeros: return unfinished(what + " at " + hex(address) + " is still zeros");
  }
  return passed;
}

bool written_words::writable(std::uint64_t address, std::uint64_t size) const noexcept {
  const load_segment* const load = lib_.holding(address, size);
  return load != nullptr && (load->flags & PF_W) != 0;
}

bool written_words::hits_dynamic_section(std::uint64_t address, std::uint64_t size) const noexcept {
  const Elf64_Phdr& dynamic = *lib_.dynamic_segment;
  return address < dynamic.p_vaddr + dynamic.p_filesz && address + size > dynamic.p_vaddr;
}

std::array<std::pair<std::uint64_t, std::uint64_t>, 3> written_words::special() const noexcept {
  const Elf64_Phdr& dynamic = *lib_.dynamic_segment;
  return {{{init_.address, init_.count * 8}, {fini_.address, fini_.count * 8}, {dynamic.p_vaddr, dynamic.p_filesz}}};
}

std::uint64_t written_words::end() const noexcept { return lib_.loads.back().address + lib_.loads.back().memory_size; }

}  // namespace autoreload::inspecting
