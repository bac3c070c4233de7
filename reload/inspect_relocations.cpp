// SPDX-License-Identifier: MIT
// inspect_relocations: the pass over everything the loader writes while it loads, and over the functions that it calls.
#include "inspect_passes.hpp"

namespace autoreload::inspecting {
namespace {

// What a relocation does, whichever machine it is for.
enum class action : std::uint8_t {
  none,
  add_base,      // writes the load base plus the addend
  call,          // calls a function of the library, which answers the address to write
  address,       // writes a symbol's address plus the addend
  slot,          // writes a symbol's address into the global offset table
  jump_slot,     // the same, for calls
  tls_module,    // writes the number of the library that has a thread-local variable
  tls_offset,    // writes the variable's place in that library's block
  static_tls,    // writes the variable's distance from the thread pointer
  tls_function,  // writes a function and its argument, which find the variable
  illegal,
};

action x86_64_action(std::uint32_t type) noexcept {
  switch (type) {
    case R_X86_64_NONE: return action::none;
    case R_X86_64_RELATIVE: return action::add_base;
    case R_X86_64_IRELATIVE: return action::call;
    case R_X86_64_64: return action::address;
    case R_X86_64_GLOB_DAT: return action::slot;
    case R_X86_64_JUMP_SLOT: return action::jump_slot;
    case R_X86_64_DTPMOD64: return action::tls_module;
    case R_X86_64_DTPOFF64: return action::tls_offset;
    case R_X86_64_TPOFF64: return action::static_tls;
    case R_X86_64_TLSDESC: return action::tls_function;
    default: return action::illegal;
  }
}

action aarch64_action(std::uint32_t type) noexcept {
  switch (type) {
    case R_AARCH64_NONE: return action::none;
    case R_AARCH64_RELATIVE: return action::add_base;
    case R_AARCH64_IRELATIVE: return action::call;
    case R_AARCH64_ABS64: return action::address;
    case R_AARCH64_GLOB_DAT: return action::slot;
    case R_AARCH64_JUMP_SLOT: return action::jump_slot;
    case R_AARCH64_TLS_DTPMOD: return action::tls_module;
    case R_AARCH64_TLS_DTPREL: return action::tls_offset;
    case R_AARCH64_TLS_TPREL: return action::static_tls;
    case R_AARCH64_TLSDESC: return action::tls_function;
    default: return action::illegal;
  }
}

constexpr bool is_thread_local(action what) { return what >= action::tls_module && what <= action::tls_function; }

// DT_INIT_ARRAY or DT_FINI_ARRAY: addresses that the loader calls. In the file they lack the load base, so that each
// must be the target of a relocation, which also says what it will be.
struct function_array {
  const char* name;
  std::uint64_t address = 0;
  std::uint64_t count = 0;
  std::uint64_t relocated = 0;
  std::bitset<4096> seen{};  // longer arrays are only counted

  [[nodiscard]] bool holds(std::uint64_t target) const noexcept { return target - address < count * 8; }
  // False when the entry is not one of the array's, or had its relocation already.
  [[nodiscard]] bool relocate(std::uint64_t target) noexcept {
    const std::uint64_t index = (target - address) / 8;
    if ((target - address) % 8 != 0) return false;
    if (index < seen.size()) {
      if (seen[index]) return false;
      seen[index] = true;
    }
    ++relocated;
    return true;
  }
};

class relocation_checker {
 public:
  explicit relocation_checker(image& lib)
      : lib_(lib), init_{"DT_INIT_ARRAY"}, fini_{"DT_FINI_ARRAY"} {
    const load_segment& last = lib.loads.back();
    end_ = last.address + last.memory_size;
  }

  [[nodiscard]] outcome array_is_inside(function_array& array, std::int64_t where, std::int64_t size) const {
    array.address = lib_.dynamic[where];
    array.count = lib_.dynamic[size] / 8;
    if (array.count == 0) return passed;
    const load_segment* const load = writable(array.address, array.count * 8);
    if (load == nullptr || array.address % 8 != 0) {
      return damaged(std::string(array.name) + ", " + grouped(array.count) + " functions at " + hex(array.address) +
                     ", is not in a writable segment");
    }
    return passed;
  }

  [[nodiscard]] outcome table_is_sound(std::int64_t where, std::int64_t size, bool calls) {
    const char* const name = calls ? "DT_JMPREL" : "DT_RELA";
    const auto relocations = lib_.table_at<Elf64_Rela>(lib_.dynamic[where], lib_.dynamic[size] / sizeof(Elf64_Rela));
    if (!relocations) {
      return damaged(std::string("the relocations of ") + name + ", " + grouped(lib_.dynamic[size]) + " bytes at " +
                     hex(lib_.dynamic[where]) + ", are not in a segment");
    }
    const std::uint64_t relative = calls ? 0 : lib_.dynamic[DT_RELACOUNT];
    if (relative > relocations->size()) {
      return damaged(grouped(relative) + " of " + grouped(relocations->size()) + " relocations are said to be relative");
    }
    std::uint64_t next_relative = 0, next_slot = 0;
    bool symbol_seen = false, nothing_seen_since = false;
    for (std::size_t i = 0; i != relocations->size(); ++i) {
      const Elf64_Rela relocation = (*relocations)[i];
      const auto type = static_cast<std::uint32_t>(ELF64_R_TYPE(relocation.r_info));
      const action what = lib_.machine == elf_machine::x86_64 ? x86_64_action(type) : aarch64_action(type);
      const auto refuse = [&](const std::string& why) {
        return damaged("relocation " + grouped(i) + " of " + name + ", at " + hex(relocation.r_offset) + ", " + why);
      };
      if (i < relative) {
        // The loader takes these for relative ones without a look at the type. Linkers sort them.
        if (what != action::add_base) return refuse("is not a relative one");
        if (relocation.r_offset < next_relative) return refuse("is out of order");
        next_relative = relocation.r_offset + 8;
      }
      if (what == action::none) {
        // ld.bfd leaves room that it did not need as zeros, after the relative ones or at the end.
        if (calls || relocation.r_info != 0 || relocation.r_offset != 0 || relocation.r_addend != 0) {
          return refuse("does nothing");
        }
        nothing_seen_since = symbol_seen;
        continue;
      }
      if (nothing_seen_since) {
        return unfinished("relocations before number " + grouped(i) + " of " + name + " are still zeros");
      }
      symbol_seen |= what != action::add_base;
      if (what == action::jump_slot) {
        if (relocation.r_offset < next_slot) return refuse("is out of order");
        next_slot = relocation.r_offset + 8;
      }
      if (auto no = is_sound(relocation, what, refuse)) return no;
    }
    return passed;
  }

  [[nodiscard]] outcome relative_bitmaps_are_sound() {
    const auto words = lib_.table_at<Elf64_Relr>(lib_.dynamic[DT_RELR], lib_.dynamic[DT_RELRSZ] / sizeof(Elf64_Relr));
    if (!words) {
      return damaged("the relative relocations of DT_RELR, " + grouped(lib_.dynamic[DT_RELRSZ]) + " bytes at " +
                     hex(lib_.dynamic[DT_RELR]) + ", are not in a segment");
    }
    std::uint64_t at = 0;
    for (std::size_t i = 0; i != words->size(); ++i) {
      const std::uint64_t word = (*words)[i];
      if ((word & 1) == 0) {  // an address
        if (word < at || word == 0) return damaged("word " + grouped(i) + " of DT_RELR is out of order");
        if (auto no = bitmap_target_is_sound(word)) return no;
        at = word + 8;
      } else {  // a bit for each of the next 63 words
        if (at == 0) return damaged("DT_RELR does not begin with an address");
        std::uint64_t target = at;
        for (std::uint64_t bits = word >> 1; bits != 0; bits >>= 1, target += 8) {
          if ((bits & 1) == 0) continue;
          if (auto no = bitmap_target_is_sound(target)) return no;
        }
        at += 63 * 8;
      }
    }
    return passed;
  }

  [[nodiscard]] outcome arrays_are_relocated() const {
    for (const function_array* array : {&init_, &fini_}) {
      if (array->relocated != array->count) {
        return damaged(std::string(array->name) + " has " + grouped(array->count) + " functions, but " +
                       grouped(array->relocated) + " of them are relocated");
      }
    }
    return passed;
  }

  [[nodiscard]] outcome is_callable(std::uint64_t address, const std::string& what) const {
    switch (look_at_code(lib_, address)) {
      case code_at::there: return passed;
      case code_at::outside: return damaged(what + " is at " + hex(address) + ", where no code is");
      case code_at::zeros: return unfinished(what + " at " + hex(address) + " is still zeros");
    }
    return passed;
  }

  function_array& init() { return init_; }
  function_array& fini() { return fini_; }

 private:
  [[nodiscard]] const load_segment* writable(std::uint64_t address, std::uint64_t size) const noexcept {
    const load_segment* const load = lib_.holding(address, size);
    return load != nullptr && (load->flags & PF_W) != 0 ? load : nullptr;
  }

  [[nodiscard]] bool hits_dynamic_section(std::uint64_t address, std::uint64_t size) const noexcept {
    const Elf64_Phdr& dynamic = *lib_.dynamic_segment;
    return address < dynamic.p_vaddr + dynamic.p_filesz && address + size > dynamic.p_vaddr;
  }

  // An address that the loader will write into a function array.
  [[nodiscard]] outcome array_entry_is_sound(std::uint64_t target, std::optional<std::uint64_t> function) {
    function_array* const array = init_.holds(target) ? &init_ : fini_.holds(target) ? &fini_ : nullptr;
    if (array == nullptr) return passed;
    if (!array->relocate(target)) {
      return damaged(std::string("an entry of ") + array->name + " is relocated twice or in its middle");
    }
    if (!function) return passed;
    return is_callable(*function, std::string("a function of ") + array->name);
  }

  template <class Refuse>
  [[nodiscard]] outcome is_sound(const Elf64_Rela& relocation, action what, const Refuse& refuse) {
    if (what == action::illegal) {
      return refuse("is of a type, " + grouped(ELF64_R_TYPE(relocation.r_info)) +
                    ", that has no place in a shared library");
    }
    const std::uint64_t size = what == action::tls_function ? 16 : 8;
    if (writable(relocation.r_offset, size) == nullptr) return refuse("is outside of the writable segments");
    if (hits_dynamic_section(relocation.r_offset, size)) return refuse("would change the dynamic section");
    const std::uint64_t index = ELF64_R_SYM(relocation.r_info);
    if (index >= lib_.symbols.size()) {
      return refuse("uses symbol " + grouped(index) + " of " + grouped(lib_.symbols.size()));
    }
    // Only plain addresses may stand where the compiler put a variable; slots are the linker's and aligned.
    if (what != action::address && what != action::add_base && relocation.r_offset % 8 != 0) {
      return refuse("is not aligned");
    }
    const auto addend = static_cast<std::uint64_t>(relocation.r_addend);
    switch (what) {
      case action::add_base:
      case action::call:
        if (index != 0) return refuse("has a symbol that it does not need");
        if (addend > end_) return refuse("points to " + hex(addend) + ", outside of the library");
        if (what == action::call) return is_callable(addend, "a resolver function");
        return array_entry_is_sound(relocation.r_offset, addend);
      case action::slot:
      case action::jump_slot:
        if (index == 0 || addend != 0) return refuse("fills a slot without a symbol or with an addend");
        break;
      default: break;
    }
    const Elf64_Sym symbol = lib_.symbols[index];
    const bool is_here = index == 0 || symbol.st_shndx != SHN_UNDEF;
    if (is_thread_local(what)) {
      if (index != 0 && ELF64_ST_TYPE(symbol.st_info) != STT_TLS && is_here) {
        return refuse("wants a thread-local variable, but its symbol is none");
      }
      if (is_here && !lib_.tls) return refuse("wants thread-local data, but the library has none");
      if (what == action::static_tls) lib_.answer.facts.static_tls = true;
      return passed;
    }
    if (ELF64_ST_TYPE(symbol.st_info) == STT_TLS) return refuse("wants an address, but its symbol is thread-local");
    if (what != action::address) return passed;
    return array_entry_is_sound(relocation.r_offset, index != 0 && is_here && symbol.st_shndx != SHN_ABS
                                                         ? std::optional(symbol.st_value + addend)
                                                         : std::nullopt);
  }

  // The loader adds the load base to what stands there.
  [[nodiscard]] outcome bitmap_target_is_sound(std::uint64_t target) {
    const auto content = lib_.record_at<std::uint64_t>(target);
    if (!content || writable(target, 8) == nullptr || hits_dynamic_section(target, 8)) {
      return damaged("DT_RELR relocates address " + hex(target) + ", outside of the writable segments");
    }
    if (*content > end_) {
      return damaged("DT_RELR relocates address " + hex(target) + ", which holds " + hex(*content) +
                     ", outside of the library");
    }
    return array_entry_is_sound(target, *content);
  }

  image& lib_;
  std::uint64_t end_;
  function_array init_, fini_;
};

}  // namespace

outcome relocations_are_sound(image& lib) {
  relocation_checker check(lib);
  if (auto no = check.array_is_inside(check.init(), DT_INIT_ARRAY, DT_INIT_ARRAYSZ)) return no;
  if (auto no = check.array_is_inside(check.fini(), DT_FINI_ARRAY, DT_FINI_ARRAYSZ)) return no;
  if (auto no = check.table_is_sound(DT_RELA, DT_RELASZ, false)) return no;
  if (auto no = check.table_is_sound(DT_JMPREL, DT_PLTRELSZ, true)) return no;
  if (auto no = check.relative_bitmaps_are_sound()) return no;
  if (auto no = check.arrays_are_relocated()) return no;
  for (const auto& [tag, name] : {std::pair(DT_INIT, "the initialization function"), std::pair(DT_FINI, "the termination function")}) {
    if (!lib.dynamic.has(tag)) continue;
    if (auto no = check.is_callable(lib.dynamic[tag], name)) return no;
  }
  return passed;
}

}  // namespace autoreload::inspecting
