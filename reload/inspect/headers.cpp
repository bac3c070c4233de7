// SPDX-License-Identifier: MIT
// inspect_headers: the passes over the ELF header, the segments and the section table.
#include <algorithm>

#include "reload/inspect/passes.hpp"

namespace autoreload::inspecting {
namespace {

constexpr std::uint64_t page = 4096;                             // the smallest that either machine's kernel uses
constexpr std::uint64_t address_limit = std::uint64_t{1} << 47;  // user space, which the whole library must fit into
constexpr std::uint64_t largest_alignment = std::uint64_t{1} << 30;
constexpr std::uint64_t largest_tls = std::uint64_t{1} << 30;
constexpr std::size_t most_program_headers = 128;  // linkers write about ten; the loader copies them to its stack

constexpr std::uint64_t page_start(std::uint64_t address) { return address & ~(page - 1); }
constexpr std::uint64_t page_end(std::uint64_t address) { return page_start(address + page - 1); }
constexpr bool power_of_two(std::uint64_t n) { return n != 0 && (n & (n - 1)) == 0; }

std::string numbered(const char* what, std::size_t index) { return std::string(what) + " " + grouped(index); }

/// Refuses when [offset, offset + size) is not in the file: a linker that is at work when the end is a believable one.
outcome must_be_in_file(const image& lib, std::uint64_t offset, std::uint64_t size, std::string_view what,
                        std::size_t index) {
  if (lib.has(offset, size)) return passed;
  const std::string name = std::string(what) + (index == 0 ? "" : " " + grouped(index));
  if (offset >= address_limit || size >= address_limit) {
    return damaged(name + " is said to have " + grouped(size) + " bytes at byte " + grouped(offset));
  }
  return unfinished(name + " ends at byte " + grouped(offset + size) + " but the file has " + grouped(lib.file.size()));
}

std::string name_of_machine(unsigned machine) {
  switch (machine) {
    case EM_X86_64: return "x86-64";
    case EM_AARCH64: return "aarch64";
    case EM_386: return "32-bit x86";
    case EM_ARM: return "32-bit arm";
    case EM_RISCV: return "riscv";
    case EM_PPC64: return "powerpc64";
    case EM_S390: return "s390x";
    case EM_BPF: return "bpf";
    default: return "machine number " + grouped(machine);
  }
}

refusal not_elf(const image& lib) {
  const std::string_view text(reinterpret_cast<const char*>(lib.file.data()),
                              std::min<std::size_t>(lib.file.size(), 64));
  if (text.starts_with("!<arch>\n")) {
    return wrong("this is a static archive, not a shared library", "link its objects with -shared");
  }
  if (text.starts_with("!<thin>\n")) {
    return wrong("this is a thin static archive, not a shared library", "link its objects with -shared");
  }
  const bool readable = std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= ' ' && c != '\x7f') || c == '\n' || c == '\t' || c == '\r' || (c & '\x80') != 0;
  });
  if (readable) {
    return wrong("this is a text file (perhaps a linker script), not a shared library",
                 "name the library that the linker made");
  }
  return wrong("this is not an ELF file: it has no ELF magic number", "name the library that the linker made");
}

}  // namespace

outcome is_elf_for_this_machine(image& lib) {
  if (lib.file.empty()) return unfinished("the file is empty");
  const std::size_t known = std::min<std::size_t>(lib.file.size(), SELFMAG);
  if (std::memcmp(lib.file.data(), ELFMAG, known) != 0) {
    // ld.bfd writes the header last, gold makes the file at its full size first: both leave zeros where the magic is.
    const auto start = lib.file.first(std::min(lib.file.size(), sizeof(Elf64_Ehdr)));
    if (!all_zero(start)) return not_elf(lib);
    return unfinished("the first " + grouped(start.size()) + " of " + grouped(lib.file.size()) +
                      " bytes are still zeros");
  }
  if (lib.file.size() < sizeof(Elf64_Ehdr)) {
    return unfinished("the file has " + grouped(lib.file.size()) + " bytes, fewer than the 64 of an ELF header");
  }
  std::memcpy(&lib.header, lib.file.data(), sizeof lib.header);
  const Elf64_Ehdr& header = lib.header;
  if (all_zero(lib.file.subspan(SELFMAG, sizeof header - SELFMAG))) {
    return unfinished("the ELF header holds nothing but its magic number");
  }
  if (header.e_ident[EI_CLASS] == ELFCLASS32) {
    return wrong("this is a 32-bit library, and this program is a 64-bit one", "build it with -m64");
  }
  if (header.e_ident[EI_CLASS] != ELFCLASS64) return damaged("the ELF header has no valid class");
  if (header.e_ident[EI_DATA] == ELFDATA2MSB) {
    return wrong("this library is for a big-endian machine", "build it with this machine's compiler");
  }
  if (header.e_ident[EI_DATA] != ELFDATA2LSB) return damaged("the ELF header has no valid byte order");
  if (header.e_machine != static_cast<unsigned>(lib.machine)) {
    return wrong("this library is for " + name_of_machine(header.e_machine) + ", and this program runs on " +
                     name_of_machine(static_cast<unsigned>(lib.machine)),
                 "build it with this machine's compiler");
  }
  const unsigned abi = header.e_ident[EI_OSABI];
  if (abi != ELFOSABI_SYSV && abi != ELFOSABI_GNU) {
    return wrong("this library is for another operating system (ABI number " + grouped(abi) + ")",
                 "build it with this machine's compiler");
  }
  const bool padded = all_zero(std::as_bytes(std::span(header.e_ident).subspan(EI_PAD)));
  if (header.e_ident[EI_VERSION] != EV_CURRENT || header.e_version != EV_CURRENT || !padded) {
    return damaged("the ELF header's version or padding is not as it must be");
  }
  return passed;
}

outcome is_a_shared_library(image& lib) {
  switch (lib.header.e_type) {
    case ET_DYN: return passed;
    case ET_REL:
      return wrong("this is an object file that is not linked yet, not a shared library", "link it with -shared");
    case ET_EXEC:
      return wrong("this is a program, not a shared library", "link it with -shared and compile with -fPIC");
    case ET_CORE: return wrong("this is a core dump, not a shared library", "name the library that the linker made");
    default: return damaged("the ELF header has no valid file type");
  }
}

outcome header_tables_are_in_the_file(image& lib) {
  const Elf64_Ehdr& header = lib.header;
  if (header.e_phnum == 0) return damaged("it has no program headers");
  if (header.e_phnum > most_program_headers || header.e_phentsize != sizeof(Elf64_Phdr)) {
    return damaged("it is said to have " + grouped(header.e_phnum) + " program headers of " +
                   grouped(header.e_phentsize) + " bytes each");
  }
  const std::uint64_t size = header.e_phnum * sizeof(Elf64_Phdr);
  if (auto no = must_be_in_file(lib, header.e_phoff, size, "the program header table", 0)) return no;
  lib.programs = *lib.table_in_file<Elf64_Phdr>(header.e_phoff, header.e_phnum);
  if (all_zero(lib.file.subspan(header.e_phoff, size))) return unfinished("the program header table is still zeros");

  lib.headers = header.e_phoff == sizeof header ? sizeof header + size : sizeof header;

  if (header.e_shoff == 0 && header.e_shnum == 0) return passed;  // stripped: nothing that the loader needs
  if (header.e_shoff < sizeof header || header.e_shentsize != sizeof(Elf64_Shdr)) {
    return damaged("the section table is said to begin at byte " + grouped(header.e_shoff) + ", with " +
                   grouped(header.e_shentsize) + " bytes for each section");
  }
  std::uint64_t count = header.e_shnum;
  if (count == 0) {  // 65,280 sections or more: the first one's size is their number
    if (auto no = must_be_in_file(lib, header.e_shoff, sizeof(Elf64_Shdr), "the section table", 0)) return no;
    count = (*lib.table_in_file<Elf64_Shdr>(header.e_shoff, 1))[0].sh_size;
    if (count < SHN_LORESERVE || count > UINT32_MAX) {
      return damaged("the section table is said to have " + grouped(count) + " sections");
    }
  }
  if (auto no = must_be_in_file(lib, header.e_shoff, count * sizeof(Elf64_Shdr), "the section table", 0)) return no;
  lib.sections = *lib.table_in_file<Elf64_Shdr>(header.e_shoff, count);
  return passed;
}

outcome sections_are_in_the_file(image& lib) {
  bool none = !lib.sections.empty();
  for (std::size_t i = 0; i != lib.sections.size(); ++i) {
    const Elf64_Shdr section = lib.sections[i];
    if (section.sh_type == SHT_NULL) continue;
    none = false;
    if (section.sh_type == SHT_NOBITS) continue;
    if (auto no = must_be_in_file(lib, section.sh_offset, section.sh_size, "section", i)) return no;
  }
  if (none) return unfinished("the section table is still zeros");
  return passed;
}

outcome segments_can_be_mapped(image& lib) {
  auto& loads = lib.answer.facts.segments;
  loads.reserve(lib.programs.size());
  for (const Elf64_Phdr segment : lib.programs) {
    // objcopy --only-keep-debug leaves the headers as they were, with nothing behind them.
    if (segment.p_type == PT_DYNAMIC && segment.p_filesz == 0) {
      return wrong("this holds only the debug information of a library", "name the library itself");
    }
  }
  for (std::size_t i = 0; i != lib.programs.size(); ++i) {
    const Elf64_Phdr segment = lib.programs[i];
    if (segment.p_type != PT_LOAD) continue;
    if (auto no = must_be_in_file(lib, segment.p_offset, segment.p_filesz, "segment", i)) return no;
    if (segment.p_vaddr >= address_limit || segment.p_memsz >= address_limit || segment.p_filesz > segment.p_memsz) {
      return damaged(numbered("segment", i) + " is said to have " + grouped(segment.p_memsz) +
                     " bytes of memory at address " + hex(segment.p_vaddr));
    }
    if (!power_of_two(segment.p_align) || segment.p_align < page || segment.p_align > largest_alignment ||
        ((segment.p_vaddr - segment.p_offset) & (segment.p_align - 1)) != 0) {
      return damaged(numbered("segment", i) + " at byte " + grouped(segment.p_offset) + " can't be mapped to " +
                     hex(segment.p_vaddr) + " with an alignment of " + grouped(segment.p_align) + " bytes");
    }
    if ((segment.p_flags & PF_W) != 0 && (segment.p_flags & PF_X) != 0) {
      return wrong(numbered("segment", i) + " is writable and executable at once",
                   "link it without -Wl,--omagic and -Wl,--no-rosegment, and give no section both flags");
    }
    // mold's --execute-only: what can be executed can be read on these machines, but where a protection key forbids it.
    if ((segment.p_flags & (PF_R | PF_X)) == 0) return damaged(numbered("segment", i) + " can't be read");
    if ((segment.p_flags & PF_W) == 0 && segment.p_filesz != segment.p_memsz) {
      return damaged(numbered("segment", i) + " is read-only, but " + grouped(segment.p_memsz - segment.p_filesz) +
                     " of its bytes are not in the file");
    }
    if (!loads.empty()) {
      const load_segment& before = loads.back();
      if (page_start(segment.p_vaddr) < page_end(before.address + before.memory_size)) {
        return damaged(numbered("segment", i) + " at " + hex(segment.p_vaddr) + " overlaps the one before it");
      }
      if (segment.p_offset < before.offset + before.file_size && before.offset < segment.p_offset + segment.p_filesz) {
        return damaged(numbered("segment", i) + " at byte " + grouped(segment.p_offset) +
                       " of the file overlaps the one before it");
      }
    }
    loads.push_back({segment.p_offset, segment.p_filesz, segment.p_vaddr, segment.p_memsz, segment.p_flags});
  }
  if (loads.empty()) return damaged("no segment of it is to be loaded");
  lib.loads = loads;
  return passed;
}

outcome stack_stays_as_it_is(image& lib) {
  // Without the header, glibc takes the machine's default, which is an executable stack on x86-64: then the private
  // copy gets one.
  for (const Elf64_Phdr segment : lib.programs) {
    if (segment.p_type != PT_GNU_STACK) continue;
    lib.answer.facts.stack_header = true;
    if ((segment.p_flags & PF_X) == 0) continue;
    return wrong("it asks for an executable stack, which would make this whole program's stack executable",
                 "link it with -Wl,-z,noexecstack; assembly files need a .note.GNU-stack section");
  }
  return passed;
}

// The loader takes away the right to write from all whole pages of it. Some linkers round its end up; mold begins it
// before the segment, in the same page, where thread-local data without bytes in the file would be.
outcome relocated_data_is_writable(const image& lib, const Elf64_Phdr& segment) {
  const auto holds = [&](const load_segment& load) {
    return (load.flags & PF_W) != 0 && segment.p_vaddr >= page_start(load.address) &&
           segment.p_vaddr + segment.p_memsz <= page_end(load.address + load.memory_size);
  };
  if (segment.p_memsz < address_limit && segment.p_vaddr < address_limit &&
      std::any_of(lib.loads.begin(), lib.loads.end(), holds)) {
    return passed;
  }
  return damaged("the relocated read-only data, " + grouped(segment.p_memsz) + " bytes at " + hex(segment.p_vaddr) +
                 ", is not in a writable segment");
}

outcome program_headers_agree(image& lib) {
  std::bitset<4> seen;
  const auto twice = [&](std::size_t which) {
    const bool was = seen[which];
    seen[which] = true;
    return was;
  };
  for (std::size_t i = 0; i != lib.programs.size(); ++i) {
    const Elf64_Phdr segment = lib.programs[i];
    const std::string_view name = segment.p_type == PT_DYNAMIC        ? "the dynamic section"
                                  : segment.p_type == PT_TLS          ? "the thread-local data"
                                  : segment.p_type == PT_NOTE         ? "a note"
                                  : segment.p_type == PT_PHDR         ? "the program header table"
                                  : segment.p_type == PT_GNU_EH_FRAME ? "the unwind table"
                                  : segment.p_type == PT_GNU_PROPERTY ? "the property note"
                                                                      : "";
    if (segment.p_type == PT_GNU_RELRO) {
      if (twice(3)) return damaged("it has two blocks of relocated read-only data");
      if (auto no = relocated_data_is_writable(lib, segment)) return no;
      continue;
    }
    if (name.empty()) continue;
    if (auto no = must_be_in_file(lib, segment.p_offset, segment.p_filesz, name, 0)) return no;
    if (segment.p_filesz != 0 && lib.bytes(segment.p_vaddr, segment.p_filesz) != lib.file.data() + segment.p_offset) {
      return damaged(std::string(name) + " is at byte " + grouped(segment.p_offset) +
                     " of the file, but not at address " + hex(segment.p_vaddr) + " of a segment");
    }
    const bool same_size = segment.p_filesz == segment.p_memsz;
    switch (segment.p_type) {
      case PT_DYNAMIC:
        if (twice(0)) return damaged("it has two dynamic sections");
        // The loader writes into it, unless it is marked read-only.
        if (const load_segment* load = lib.holding(segment.p_vaddr, segment.p_filesz);
            (segment.p_flags & PF_W) != 0 && (load->flags & PF_W) == 0) {
          return damaged("the dynamic section is in a segment that can't be written");
        }
        lib.dynamic_segment = segment;
        break;
      case PT_TLS:
        if (twice(1)) return damaged("it has two blocks of thread-local data");
        if (segment.p_memsz > largest_tls || segment.p_filesz > segment.p_memsz ||
            (segment.p_align != 0 && !power_of_two(segment.p_align)) || segment.p_align > largest_alignment) {
          return damaged("the thread-local data is said to have " + grouped(segment.p_memsz) +
                         " bytes with an alignment of " + grouped(segment.p_align));
        }
        lib.tls = segment;
        lib.answer.facts.tls_size = segment.p_memsz;
        break;
      case PT_NOTE:
      case PT_GNU_PROPERTY:
        if (!same_size)
          return damaged("a note has " + grouped(segment.p_memsz) + " bytes in memory, but " +
                         grouped(segment.p_filesz) + " in the file");
        break;
      case PT_PHDR:
        // The loader goes on reading the headers there, not at the file's start, as many as the ELF header counts. lld
        // may count one more here, for which it left room.
        if (segment.p_offset != lib.header.e_phoff || !same_size || segment.p_filesz % sizeof(Elf64_Phdr) != 0 ||
            segment.p_filesz / sizeof(Elf64_Phdr) - lib.programs.size() > 1) {
          return damaged("the program header table is said to be at byte " + grouped(segment.p_offset));
        }
        break;
      case PT_GNU_EH_FRAME:
        if (twice(2)) return damaged("it has two unwind tables");
        lib.unwind_table = segment;
        break;
      default: break;
    }
  }
  if (!lib.dynamic_segment) {
    return wrong("it has no dynamic section, so nothing in it can be found by name", "link it with -shared");
  }
  return passed;
}

outcome sections_agree_with_segments(image& lib) {
  for (std::size_t i = 0; i != lib.sections.size(); ++i) {
    const Elf64_Shdr section = lib.sections[i];
    const bool zeros = section.sh_type == SHT_NOBITS;
    const bool thread_local_zeros = zeros && (section.sh_flags & SHF_TLS) != 0;  // these take no address space
    if ((section.sh_flags & SHF_ALLOC) == 0 || section.sh_size == 0 || thread_local_zeros) continue;
    const load_segment* const load = lib.holding(section.sh_addr, section.sh_size);
    if (load == nullptr) {
      return damaged(numbered("section", i) + ", " + grouped(section.sh_size) + " bytes at " + hex(section.sh_addr) +
                     ", is outside of the segments");
    }
    const std::uint64_t into = section.sh_addr - load->address;
    const bool in_place = zeros ? into >= load->file_size
                                : into + section.sh_size <= load->file_size && section.sh_offset == load->offset + into;
    if (!in_place) {
      return damaged(numbered("section", i) + " is at byte " + grouped(section.sh_offset) +
                     " of the file, but its segment puts something else at " + hex(section.sh_addr));
    }
    if (((section.sh_flags & SHF_WRITE) != 0 && (load->flags & PF_W) == 0) ||
        ((section.sh_flags & SHF_EXECINSTR) != 0 && (load->flags & PF_X) == 0)) {
      return damaged(numbered("section", i) + " needs rights that its segment does not give");
    }
  }
  return passed;
}

}  // namespace autoreload::inspecting
