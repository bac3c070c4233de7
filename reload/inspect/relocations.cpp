// SPDX-License-Identifier: MIT
// inspect_relocations: the pass over everything the loader writes while it loads, and over the functions that it calls.
#include <algorithm>

#include "reload/inspect/plain_pointers.hpp"
#include "reload/inspect/written.hpp"

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

// Which relocation is refused.
struct place {
  const char* table;
  std::size_t index;
  std::uint64_t target;

  [[nodiscard]] refusal operator()(const std::string& why) const {
    return damaged("relocation " + grouped(index) + " of " + table + ", at " + hex(target) + ", " + why);
  }
};

class relocation_checker {
 public:
  explicit relocation_checker(written_words& words) : words_(words), lib_(words.lib()), plain_(words) {
    for (const load_segment& load : lib_.loads) {
      if ((load.flags & PF_W) != 0 && writable_start_ == 0) writable_start_ = load.address;
    }
  }

  [[nodiscard]] outcome table_is_sound(std::int64_t where, std::int64_t size, bool calls) {
    const char* const name = calls ? "DT_JMPREL" : "DT_RELA";
    const auto relocations = lib_.table_at<Elf64_Rela>(lib_.dynamic[where], lib_.dynamic[size] / sizeof(Elf64_Rela));
    if (!relocations) {
      return damaged(std::string("the relocations of ") + name + ", " + grouped(lib_.dynamic[size]) + " bytes at " +
                     hex(lib_.dynamic[where]) + ", are not in a segment");
    }
    slots_have_gaps_ = false;
    for (const Elf64_Rela relocation : calls ? *relocations : table<Elf64_Rela>()) {
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
      const place refuse{name, i, relocation.r_offset};
      if (i < relative) {
        if (relocation.r_offset >= next_relative && plain_.takes(relocation)) {
          next_relative = relocation.r_offset + 8;
          last_addend_ = static_cast<std::uint64_t>(relocation.r_addend);
          something_seen = true;
          continue;
        }
        // The loader takes these for relative ones without a look at the type. Linkers sort them.
        if (what != action::add_base) return refuse("is not a relative one");
        if (relocation.r_offset < next_relative && !starts_a_section(lib_.dynamic[where] + i * sizeof relocation)) {
          return refuse("is out of order");
        }
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
      // tcc puts them among the others, where each is bound at once.
      if (calls && what == action::jump_slot && !is_next_slot(relocation.r_offset)) return refuse("is out of order");
      if (auto no = is_sound(relocation, what, refuse)) return no;
      something_seen = true;
    }
    if (nothing_seen && !something_seen)
      return unfinished(std::string("the relocations of ") + name + " are still zeros");
    return passed;
  }

  [[nodiscard]] outcome pointers_into_functions_are_meant() const {
    // An interpreter has tables of labels. A single one is rare: a garbage collector's return address, say.
    if (into_functions_ != 1) return passed;
    return perhaps_unfinished(lib_, "one pointer, and only one, leads into the middle of a function");
  }

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

  // ld.bfd's --unique keeps the relocations of each section apart, and sorts each by itself.
  [[nodiscard]] bool starts_a_section(std::uint64_t address) const {
    return std::any_of(lib_.sections.begin(), lib_.sections.end(), [&](const Elf64_Shdr& section) {
      return section.sh_type == SHT_RELA && (section.sh_flags & SHF_ALLOC) != 0 && section.sh_addr == address;
    });
  }

  [[nodiscard]] bool points_into_a_function(std::uint64_t address) const {
    if (!lib_.in_code(address)) return false;
    const auto around = lib_.function_around(address);
    return around && around->start != address;
  }

  // What holds for every relocation; then the rules of its kind.
  [[nodiscard]] outcome is_sound(const Elf64_Rela& relocation, action what, const place& refuse) {
    if (what == action::illegal) {
      return refuse("is of a type, " + grouped(ELF64_R_TYPE(relocation.r_info)) +
                    ", that has no place in a shared library");
    }
    const std::uint64_t size = what == action::tls_function ? 16 : 8;
    if (!words_.writable(relocation.r_offset, size)) return refuse("is outside of the writable segments");
    if (words_.hits_dynamic_section(relocation.r_offset, size)) return refuse("would change the dynamic section");
    const std::uint64_t index = ELF64_R_SYM(relocation.r_info);
    if (index >= lib_.symbols.size()) {
      return refuse("uses symbol " + grouped(index) + " of " + grouped(lib_.symbols.size()));
    }
    // Only plain addresses may stand where the compiler put a variable; slots are the linker's and aligned.
    if (what != action::address && what != action::add_base && relocation.r_offset % 8 != 0) {
      return refuse("is not aligned");
    }
    if (what == action::add_base || what == action::call) return needs_no_symbol(relocation, what, refuse);
    if (what == action::slot || what == action::jump_slot) {
      if (index == 0 || relocation.r_addend != 0) return refuse("fills a slot without a symbol or with an addend");
      if ((what == action::slot ? has_slot_ : has_jump_slot_)(index)) return refuse("gives a symbol a second slot");
    }
    if (what != action::address) {
      // The linker keeps the slots together, in the global offset table.
      if (slot_seen_(relocation.r_offset / 8 - writable_start_ / 8))
        return refuse("fills a slot that is filled already");
      if (auto no = is_in_the_offset_table(relocation, what, refuse)) return no;
    }
    return is_thread_local(what) ? finds_its_variable(relocation, what, refuse)
                                 : finds_its_address(relocation, what, refuse);
  }

  [[nodiscard]] outcome needs_no_symbol(const Elf64_Rela& relocation, action what, const place& refuse) {
    const auto addend = static_cast<std::uint64_t>(relocation.r_addend);
    if (ELF64_R_SYM(relocation.r_info) != 0) return refuse("has a symbol that it does not need");
    if (addend > words_.end()) return refuse("points to " + hex(addend) + ", outside of the library");
    if (what == action::call) return words_.is_callable(addend, "a resolver function");
    if (lib_.in_headers(addend)) return refuse("points to " + hex(addend) + ", into the headers");
    // One pointer to the library's first byte may be meant; two in a row were not written yet.
    if (addend == 0 && last_addend_ == 0) {
      auto no = perhaps_unfinished(lib_, "the relocations up to " + hex(relocation.r_offset) + " are still zeros");
      if (no) return no;
    }
    last_addend_ = addend;
    into_functions_ += points_into_a_function(addend);
    return words_.array_entry_is_sound(relocation.r_offset, addend);
  }

  [[nodiscard]] outcome finds_its_variable(const Elf64_Rela& relocation, action what, const place& refuse) {
    const std::uint64_t index = ELF64_R_SYM(relocation.r_info);
    const Elf64_Sym symbol = lib_.symbols[index];
    const bool is_here = index == 0 || symbol.st_shndx != SHN_UNDEF;
    const unsigned type = ELF64_ST_TYPE(symbol.st_info);
    const auto addend = static_cast<std::uint64_t>(relocation.r_addend);
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
      const auto in_block = lib_.record_at<std::uint64_t>(relocation.r_offset + 8);
      if (!in_block || *in_block > lib_.tls->p_memsz) {
        return refuse("is not followed by a place in the thread-local data");
      }
    }
    if (what == action::static_tls) lib_.answer.facts.static_tls = true;
    return passed;
  }

  [[nodiscard]] outcome finds_its_address(const Elf64_Rela& relocation, action what, const place& refuse) {
    const std::uint64_t index = ELF64_R_SYM(relocation.r_info);
    const Elf64_Sym symbol = lib_.symbols[index];
    const unsigned type = ELF64_ST_TYPE(symbol.st_info);
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
    const bool known = symbol.st_shndx != SHN_UNDEF && symbol.st_shndx != SHN_ABS;
    return words_.array_entry_is_sound(
        relocation.r_offset,
        known ? std::optional(symbol.st_value + static_cast<std::uint64_t>(relocation.r_addend)) : std::nullopt);
  }

  [[nodiscard]] outcome is_in_the_offset_table(const Elf64_Rela& relocation, action what, const place& refuse) {
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

  written_words& words_;
  image& lib_;
  plain_pointers plain_;
  std::uint64_t writable_start_ = 0;
  std::uint64_t next_slot_ = 0;
  bool slots_have_gaps_ = false;
  std::uint64_t last_addend_ = 1;
  std::size_t into_functions_ = 0;  // pointers into the middle of one
  seen_before slot_seen_, has_slot_, has_jump_slot_;
  std::optional<Elf64_Shdr> offset_table_;  // of the slots seen so far
};

}  // namespace

outcome relocations_are_sound(image& lib) {
  written_words words(lib);
  relocation_checker check(words);
  if (auto no = words.arrays_are_inside()) return no;
  if (auto no = check.table_is_sound(DT_RELA, DT_RELASZ, false)) return no;
  if (auto no = check.table_is_sound(DT_JMPREL, DT_PLTRELSZ, true)) return no;
  if (auto no = relative_bitmaps_are_sound(words)) return no;
  if (auto no = words.arrays_are_relocated()) return no;
  if (auto no = check.pointers_into_functions_are_meant()) return no;
  for (const auto& [tag, name] :
       {std::pair(DT_INIT, "the initialization function"), std::pair(DT_FINI, "the termination function")}) {
    if (!lib.dynamic.has(tag)) continue;
    if (auto no = words.is_callable(lib.dynamic[tag], name)) return no;
  }
  return passed;
}

}  // namespace autoreload::inspecting
