// SPDX-License-Identifier: MIT
// inspect_relocations: the pass over everything the loader writes while it loads, and over the functions that it calls.
#include "reload/inspect/passes.hpp"

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

// Says when a number comes a second time. Numbers from the limit on are not remembered.
class seen_before {
 public:
  [[nodiscard]] bool operator()(std::uint64_t number) noexcept {
    if (number >= seen_.size()) return false;
    const bool was = seen_[number];
    seen_[number] = true;
    return was;
  }

 private:
  std::bitset<4096> seen_;
};

// DT_INIT_ARRAY or DT_FINI_ARRAY: addresses that the loader calls. In the file they lack the load base, so that each
// must be the target of a relocation, which also says what it will be.
struct function_array {
  const char* name;
  std::uint64_t address = 0;
  std::uint64_t count = 0;
  std::uint64_t relocated = 0;
  seen_before index_seen{};

  [[nodiscard]] bool holds(std::uint64_t target) const noexcept { return target - address < count * 8; }
  // False when the entry is not one of the array's, or had its relocation already.
  [[nodiscard]] bool relocate(std::uint64_t target) noexcept {
    if ((target - address) % 8 != 0 || index_seen((target - address) / 8)) return false;
    ++relocated;
    return true;
  }
};

class relocation_checker {
 public:
  explicit relocation_checker(image& lib) : lib_(lib), init_{"DT_INIT_ARRAY"}, fini_{"DT_FINI_ARRAY"} {
    const load_segment& last = lib.loads.back();
    end_ = last.address + last.memory_size;
    for (const load_segment& load : lib.loads) {
      if ((load.flags & PF_W) != 0 && writable_start_ == 0) writable_start_ = load.address;
    }
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
    slots_have_gaps_ = false;
    for (const Elf64_Rela relocation : *relocations) {
      slots_have_gaps_ |= action_of(relocation) == action::call;  // these take slots among the others
    }
    const std::uint64_t relative = calls ? 0 : lib_.dynamic[DT_RELACOUNT];
    if (relative > relocations->size()) {
      return damaged(grouped(relative) + " of " + grouped(relocations->size()) +
                     " relocations are said to be relative");
    }
    std::uint64_t next_relative = 0;
    bool symbol_seen = false, something_seen = false, nothing_seen = false, nothing_after_symbol = false;
    for (std::size_t i = 0; i != relocations->size(); ++i) {
      const Elf64_Rela relocation = (*relocations)[i];
      const action what = action_of(relocation);
      const auto refuse = [&](const std::string& why) {
        return damaged("relocation " + grouped(i) + " of " + name + ", at " + hex(relocation.r_offset) + ", " + why);
      };
      if (i < relative) {
        // The loader takes these for relative ones without a look at the type. Linkers sort them.
        if (what != action::add_base) return refuse("is not a relative one");
        if (relocation.r_offset < next_relative) return refuse("is out of order");
        next_relative = relocation.r_offset + 8;
      } else if (what == action::add_base) {
        if (next_relative - relocation.r_offset - 1 < 15) return refuse("overlaps the one before it");
        next_relative = relocation.r_offset + 8;
      }
      if (what == action::none) {
        // ld.bfd leaves room that it did not need as zeros, after the relative ones or at the end.
        if (calls || relocation.r_info != 0 || relocation.r_offset != 0 || relocation.r_addend != 0) {
          return refuse("does nothing");
        }
        nothing_seen = true;
        nothing_after_symbol |= symbol_seen;
        continue;
      }
      if (nothing_after_symbol || (nothing_seen && what == action::add_base)) {
        return unfinished("relocations before number " + grouped(i) + " of " + name + " are still zeros");
      }
      symbol_seen |= what != action::add_base;
      if (what == action::jump_slot && !is_next_slot(relocation.r_offset)) return refuse("is out of order");
      if (auto no = is_sound(relocation, what, refuse)) return no;
      something_seen = true;
    }
    if (nothing_seen && !something_seen)
      return unfinished(std::string("the relocations of ") + name + " are still zeros");
    return passed;
  }

  [[nodiscard]] outcome relative_bitmaps_are_sound() {
    const auto words = lib_.table_at<Elf64_Relr>(lib_.dynamic[DT_RELR], lib_.dynamic[DT_RELRSZ] / sizeof(Elf64_Relr));
    if (!words) {
      return damaged("the relative relocations of DT_RELR, " + grouped(lib_.dynamic[DT_RELRSZ]) + " bytes at " +
                     hex(lib_.dynamic[DT_RELR]) + ", are not in a segment");
    }
    std::uint64_t next = 0;  // the word after the last one that was relocated: nothing may be relocated twice
    std::uint64_t at = 0;
    for (std::size_t i = 0; i != words->size(); ++i) {
      const std::uint64_t word = (*words)[i];
      if ((word & 1) == 0) {  // an address
        if (word < next || word == 0) return damaged("word " + grouped(i) + " of DT_RELR is out of order");
        if (auto no = bitmap_target_is_sound(word)) return no;
        next = at = word + 8;
      } else {  // a bit for each of the next 63 words
        if (at == 0) return damaged("DT_RELR does not begin with an address");
        std::uint64_t target = at;
        for (std::uint64_t bits = word >> 1; bits != 0; bits >>= 1, target += 8) {
          if ((bits & 1) == 0) continue;
          if (auto no = bitmap_target_is_sound(target)) return no;
          next = target + 8;
        }
        at += 63 * 8;
      }
    }
    return passed;
  }

  [[nodiscard]] outcome pointers_into_functions_are_meant() const {
    // An interpreter has tables of labels, but nobody has a single label.
    if (into_functions_ != 1) return passed;
    return damaged("one pointer, and only one, leads into the middle of a function");
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
      case code_at::inside: return damaged(what + " is at " + hex(address) + ", in the middle of another");
      case code_at::zeros: return unfinished(what + " at " + hex(address) + " is still zeros");
    }
    return passed;
  }

  function_array& init() { return init_; }
  function_array& fini() { return fini_; }

 private:
  [[nodiscard]] action action_of(const Elf64_Rela& relocation) const noexcept {
    const auto type = static_cast<std::uint32_t>(ELF64_R_TYPE(relocation.r_info));
    return lib_.machine == elf_machine::x86_64 ? x86_64_action(type) : aarch64_action(type);
  }

  // The slots of calls stand in the order of their relocations, behind three that the loader keeps for itself: that is
  // how a call that is bound late finds its relocation.
  [[nodiscard]] bool is_next_slot(std::uint64_t offset) noexcept {
    if (next_slot_ == 0) next_slot_ = lib_.dynamic[DT_PLTGOT] + 3 * 8;
    const bool in_order = slots_have_gaps_ ? offset >= next_slot_ : offset == next_slot_;
    next_slot_ = offset + 8;
    return in_order;
  }

  [[nodiscard]] const load_segment* writable(std::uint64_t address, std::uint64_t size) const noexcept {
    const load_segment* const load = lib_.holding(address, size);
    return load != nullptr && (load->flags & PF_W) != 0 ? load : nullptr;
  }

  [[nodiscard]] bool points_into_a_function(std::uint64_t address) const {
    if (!lib_.in_code(address)) return false;
    const auto around = lib_.function_around(address);
    return around && around->start != address;
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
        if (lib_.in_headers(addend)) return refuse("points to " + hex(addend) + ", into the headers");
        // One pointer to the library's first byte may be meant; two in a row were not written yet.
        if (addend == 0 && last_addend_ == 0)
          return unfinished("the relocations up to " + hex(relocation.r_offset) + " are still zeros");
        last_addend_ = addend;
        into_functions_ += points_into_a_function(addend);
        return array_entry_is_sound(relocation.r_offset, addend);
      case action::slot:
      case action::jump_slot:
        if (index == 0 || addend != 0) return refuse("fills a slot without a symbol or with an addend");
        if ((what == action::slot ? has_slot_ : has_jump_slot_)(index)) return refuse("gives a symbol a second slot");
        break;
      default: break;
    }
    if (what != action::address && what != action::add_base && what != action::call) {
      // The linker keeps the slots together, in the global offset table.
      if (slot_seen_(relocation.r_offset / 8 - writable_start_ / 8))
        return refuse("fills a slot that is filled already");
      if (auto no = is_in_the_offset_table(relocation, what, refuse)) return no;
    }
    const Elf64_Sym symbol = lib_.symbols[index];
    const bool is_here = index == 0 || symbol.st_shndx != SHN_UNDEF;
    const unsigned type = ELF64_ST_TYPE(symbol.st_info);
    if (is_thread_local(what)) {
      if ((what == action::tls_module && addend != 0) || (what == action::tls_offset && index == 0)) {
        return refuse("has an addend or lacks a symbol");
      }
      // The library's own block as a whole, for which gold uses the section's symbol.
      const bool block = is_here && (index == 0 || type == STT_SECTION);
      if (!block && is_here && type != STT_TLS) return refuse("wants a thread-local variable, but its symbol is none");
      if (is_here && !lib_.tls) return refuse("wants thread-local data, but the library has none");
      if (block && addend > lib_.tls->p_memsz) return refuse("wants thread-local data beyond the library's");
      if (block && what == action::tls_module) {
        // The word behind it is the place in the block, which needs no relocation.
        const auto place = lib_.record_at<std::uint64_t>(relocation.r_offset + 8);
        if (!place || *place > lib_.tls->p_memsz) return refuse("is not followed by a place in the thread-local data");
      }
      if (what == action::static_tls) lib_.answer.facts.static_tls = true;
      return passed;
    }
    if (type == STT_TLS) return refuse("wants an address, but its symbol is thread-local");
    if (what == action::jump_slot && type == STT_OBJECT) {
      return refuse("wants a function, but its symbol is a variable");
    }
    if (what == action::jump_slot) {
      // Until the call is bound, the slot leads to a few instructions that bind it.
      const auto stub = lib_.record_at<std::uint64_t>(relocation.r_offset);
      if (stub && *stub != 0 && !lib_.in_code(*stub)) return refuse("has no code to bind the call");
      if (stub && *stub != 0 && look_at_code(lib_, *stub) == code_at::zeros) {
        return unfinished("the code at " + hex(*stub) + " that binds calls is still zeros");
      }
    }
    if (what != action::address) return passed;
    if (index == 0) return refuse("adds nothing to nothing");
    return array_entry_is_sound(relocation.r_offset, index != 0 && is_here && symbol.st_shndx != SHN_ABS
                                                         ? std::optional(symbol.st_value + addend)
                                                         : std::nullopt);
  }

  template <class Refuse>
  [[nodiscard]] outcome is_in_the_offset_table(const Elf64_Rela& relocation, action what, const Refuse& refuse) {
    if (what == action::jump_slot || what == action::tls_function)
      return passed;  // these may have a table of their own
    const auto holds = [&](const Elf64_Shdr& section) {
      return (section.sh_flags & (SHF_ALLOC | SHF_TLS)) == SHF_ALLOC && relocation.r_offset >= section.sh_addr &&
             relocation.r_offset - section.sh_addr < section.sh_size;
    };
    if (offset_table_ && holds(*offset_table_)) return passed;
    if (offset_table_) return refuse("fills a slot outside of the global offset table");
    for (const Elf64_Shdr section : lib_.sections) {
      if (holds(section)) offset_table_ = section;
    }
    return passed;
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
    // One pointer to the library's first byte may be meant; two in a row were not written yet.
    if (*content == 0 && last_content_ == 0)
      return unfinished("the pointers up to " + hex(target) + " are still zeros");
    last_content_ = *content;
    return array_entry_is_sound(target, *content);
  }

  image& lib_;
  std::uint64_t end_;
  std::uint64_t writable_start_ = 0;
  std::uint64_t next_slot_ = 0;
  bool slots_have_gaps_ = false;
  std::uint64_t last_addend_ = 1;
  std::size_t into_functions_ = 0;  // pointers into the middle of one
  function_array init_, fini_;
  std::uint64_t last_content_ = 1;  // of the word that DT_RELR relocated last
  seen_before slot_seen_, has_slot_, has_jump_slot_;
  std::optional<Elf64_Shdr> offset_table_;  // of the slots seen so far
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
  if (auto no = check.pointers_into_functions_are_meant()) return no;
  for (const auto& [tag, name] :
       {std::pair(DT_INIT, "the initialization function"), std::pair(DT_FINI, "the termination function")}) {
    if (!lib.dynamic.has(tag)) continue;
    if (auto no = check.is_callable(lib.dynamic[tag], name)) return no;
  }
  return passed;
}

}  // namespace autoreload::inspecting
