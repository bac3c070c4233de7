// SPDX-License-Identifier: MIT
// inspect_test: libraries of every linker are accepted, and every kind of damage is refused by the rule that is for it.
#include "reload/inspect/inspect.hpp"

#include <dlfcn.h>
#include <elf.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <set>

#include "digest/digest.hpp"
#include "elf/gnu_hash.hpp"
#include "support.hpp"

namespace {

using autoreload::elf_machine;
using autoreload::inspection;
using autoreload::verdict;
using autoreload::writing;

constexpr std::int64_t unknown_tag = 0x60000123;  // which the loader and inspect() pass over

std::string subjects_directory() {
  const char* const given = std::getenv("AUTORELOAD_SUBJECTS");
  return given != nullptr ? given : "";
}

// A library's bytes, to be damaged where it hurts.
class library {
 public:
  explicit library(const std::string& path) : bytes(support::read_file(path)) {}

  template <class T>
  T& at(std::size_t offset) {
    if (offset + sizeof(T) > bytes.size()) throw std::out_of_range("the test looks beyond the file");
    return *reinterpret_cast<T*>(bytes.data() + offset);
  }
  Elf64_Ehdr& header() { return at<Elf64_Ehdr>(0); }
  Elf64_Phdr& segment(unsigned type, std::size_t nth = 0) {
    for (std::size_t i = 0; i != header().e_phnum; ++i) {
      auto& found = at<Elf64_Phdr>(header().e_phoff + i * sizeof(Elf64_Phdr));
      if (found.p_type == type && nth-- == 0) return found;
    }
    throw std::runtime_error("no such segment");
  }
  Elf64_Shdr& section(const std::function<bool(const Elf64_Shdr&)>& wanted) {
    for (std::size_t i = 1; i != header().e_shnum; ++i) {
      auto& found = at<Elf64_Shdr>(header().e_shoff + i * sizeof(Elf64_Shdr));
      if (wanted(found)) return found;
    }
    throw std::runtime_error("no such section");
  }
  Elf64_Shdr& section(unsigned type) {
    return section([=](const Elf64_Shdr& one) { return one.sh_type == type; });
  }
  std::size_t offset_of(std::uint64_t address) {
    for (std::size_t nth = 0;; ++nth) {
      const Elf64_Phdr& load = segment(PT_LOAD, nth);
      if (address >= load.p_vaddr && address - load.p_vaddr < load.p_filesz) {
        return load.p_offset + address - load.p_vaddr;
      }
    }
  }
  template <class T>
  T& mapped(std::uint64_t address) {
    return at<T>(offset_of(address));
  }
  void zero(std::uint64_t address, std::size_t size) { std::memset(bytes.data() + offset_of(address), 0, size); }

  Elf64_Dyn* find(std::int64_t tag) {
    for (std::size_t at_entry = segment(PT_DYNAMIC).p_offset;; at_entry += sizeof(Elf64_Dyn)) {
      auto& found = at<Elf64_Dyn>(at_entry);
      if (found.d_tag == tag) return &found;
      if (found.d_tag == DT_NULL) return nullptr;
    }
  }
  bool has(std::int64_t tag) { return find(tag) != nullptr; }
  Elf64_Dyn& entry(std::int64_t tag) {
    Elf64_Dyn* const found = find(tag);
    if (found == nullptr) throw std::runtime_error("no such entry");
    return *found;
  }
  std::uint64_t& value(std::int64_t tag) { return entry(tag).d_un.d_val; }
  void rename(std::int64_t tag, std::int64_t to, std::uint64_t with = 0) {
    Elf64_Dyn& one = entry(tag);
    one.d_tag = to;
    one.d_un.d_val = with;
  }

  Elf64_Sym& symbol(std::size_t index) { return mapped<Elf64_Sym>(value(DT_SYMTAB) + index * sizeof(Elf64_Sym)); }
  std::size_t index_of(const std::string& name) {
    for (std::size_t i = 1;; ++i) {
      if (name == &mapped<char>(value(DT_STRTAB) + symbol(i).st_name)) return i;
    }
  }
  Elf64_Sym& symbol(const std::string& name) { return symbol(index_of(name)); }

  std::size_t relocations(std::int64_t size = DT_RELASZ) { return value(size) / sizeof(Elf64_Rela); }
  Elf64_Rela& relocation(std::size_t index, std::int64_t table = DT_RELA) {
    return mapped<Elf64_Rela>(value(table) + index * sizeof(Elf64_Rela));
  }
  Elf64_Rela& call(std::size_t index) { return relocation(index, DT_JMPREL); }
  std::size_t first(std::uint32_t type) {
    for (std::size_t i = 0;; ++i) {
      if (ELF64_R_TYPE(relocation(i).r_info) == type) return i;
    }
  }
  Elf64_Rela& relocation_at(std::uint64_t target) {
    for (std::size_t i = 0;; ++i) {
      if (relocation(i).r_offset == target) return relocation(i);
    }
  }
  std::uint32_t& hash_word(std::size_t index, std::int64_t tag = DT_GNU_HASH) {
    return mapped<std::uint32_t>(value(tag) + index * 4);
  }
  std::size_t first_bucket() { return 4 + hash_word(2) * 2; }
  std::size_t first_chain() { return first_bucket() + hash_word(0); }

  // The unwind table: its entries' functions, and their descriptions' addresses.
  std::uint64_t unwind() { return segment(PT_GNU_EH_FRAME).p_vaddr; }
  std::uint64_t function(std::size_t index) {
    return unwind() + static_cast<std::uint64_t>(std::int64_t{mapped<std::int32_t>(unwind() + 12 + index * 8)});
  }
  std::uint64_t description(std::size_t index) {
    return unwind() + static_cast<std::uint64_t>(std::int64_t{mapped<std::int32_t>(unwind() + 16 + index * 8)});
  }
  std::size_t description_of(std::uint64_t address) {
    for (std::size_t i = 0;; ++i) {
      if (function(i) == address) return i;
    }
  }

  // As sstrip and packers leave it: the rules have no section table to lean on.
  void drop_sections() { header().e_shoff = header().e_shnum = header().e_shstrndx = 0; }

  [[nodiscard]] inspection inspect(elf_machine machine = elf_machine::x86_64,
                                   writing state = writing::may_go_on) const {
    return autoreload::inspect(std::as_bytes(std::span(bytes)), machine, state);
  }

  [[nodiscard]] std::vector<std::string> names() const {
    return autoreload::exported_names(std::as_bytes(std::span(bytes)));
  }

  std::string bytes;
};

std::string said(const inspection& found) { return found.reason + " | " + found.advice; }

// Which library a damage is done to.
enum class base : std::uint8_t {
  bare,      // gcc and ld.bfd, without its section table
  complete,  // the same with it
  sysv,      // DT_HASH instead of DT_GNU_HASH, bare
  relr,      // DT_RELR, bare
  lld,       // ld.lld, bare
  usual,     // a library of usual size, gcc and ld.bfd, bare
};

struct damage {
  const char* name;  // what is wrong with the file, as a story
  base on;
  verdict is;
  const char* says;
  void (*make)(library&);
};

std::ostream& operator<<(std::ostream& out, const damage& one) { return out << one.name; }

class damaged : public testing::TestWithParam<damage> {
 protected:
  static std::string file_of(base which) {
    switch (which) {
      case base::bare:
      case base::complete: return "small-gcc-bfd.so";
      case base::sysv: return "small-sysv.so";
      case base::relr: return "small-relr.so";
      case base::lld: return "small-clang-lld.so";
      case base::usual: return "usual-gcc-bfd.so";
    }
    return {};
  }
};

TEST_P(damaged, library_is_refused_by_its_rule) {
  const damage& one = GetParam();
  const std::string path = subjects_directory() + "/" + file_of(one.on);
  if (!std::filesystem::exists(path)) GTEST_SKIP() << "its compiler and linker are not installed: " << path;
  library lib(path);
  if (one.on == base::relr && !lib.has(DT_RELR)) GTEST_SKIP() << "the linker does not know DT_RELR";
  if (one.on != base::complete) lib.drop_sections();
  ASSERT_EQ(lib.inspect().is, verdict::sound) << said(lib.inspect());
  ASSERT_NO_THROW(one.make(lib));
  const inspection found = lib.inspect();
  EXPECT_EQ(found.is, one.is) << said(found);
  EXPECT_NE(found.reason.find(one.says), std::string::npos) << said(found);
}

constexpr auto wrong = verdict::wrong;
constexpr auto incomplete = verdict::incomplete;
constexpr std::uint64_t nowhere = 0x7000'0000;

void replace_note(library& lib, unsigned with) { lib.segment(PT_NOTE) = Elf64_Phdr(lib.segment(with)); }
void set_type(Elf64_Sym& symbol, unsigned type) {
  symbol.st_info = static_cast<unsigned char>(ELF64_ST_INFO(ELF64_ST_BIND(symbol.st_info), type));
}

const damage header_damages[] = {
    {"empty", base::bare, incomplete, "the file is empty", [](library& l) { l.bytes.clear(); }},
    {"magic_cut_short", base::bare, incomplete, "the file has 3 bytes", [](library& l) { l.bytes.resize(3); }},
    {"header_cut_short", base::bare, incomplete, "fewer than the 64", [](library& l) { l.bytes.resize(63); }},
    {"header_not_written", base::bare, incomplete, "bytes are still zeros",
     [](library& l) { std::memset(l.bytes.data(), 0, 64); }},
    {"only_the_magic_written", base::bare, incomplete, "nothing but its magic",
     [](library& l) { std::memset(l.bytes.data() + 4, 0, 60); }},
    {"text", base::bare, wrong, "this is a text file", [](library& l) { l.bytes = "/* GNU ld script */\n"; }},
    {"archive", base::bare, wrong, "this is a static archive", [](library& l) { l.bytes = "!<arch>\nfoo.o/"; }},
    {"thin_archive", base::bare, wrong, "thin static archive", [](library& l) { l.bytes = "!<thin>\nfoo.o/"; }},
    {"other_bytes", base::bare, wrong, "this is not an ELF file", [](library& l) { l.bytes[0] = 1; }},
    {"class_32_bit", base::bare, wrong, "32-bit", [](library& l) { l.bytes[EI_CLASS] = ELFCLASS32; }},
    {"class_unknown", base::bare, wrong, "no valid class", [](library& l) { l.bytes[EI_CLASS] = 7; }},
    {"big_endian", base::bare, wrong, "big-endian", [](library& l) { l.bytes[EI_DATA] = ELFDATA2MSB; }},
    {"byte_order_unknown", base::bare, wrong, "byte order", [](library& l) { l.bytes[EI_DATA] = 9; }},
    {"other_machine", base::bare, wrong, "for riscv, and this program runs on x86-64",
     [](library& l) { l.header().e_machine = EM_RISCV; }},
    {"other_system", base::bare, wrong, "another operating system (ABI number 9)",
     [](library& l) { l.bytes[EI_OSABI] = ELFOSABI_FREEBSD; }},
    {"other_version", base::bare, wrong, "version or padding", [](library& l) { l.header().e_version = 2; }},
    {"padding_written", base::bare, wrong, "version or padding", [](library& l) { l.bytes[12] = 1; }},
    {"object", base::bare, wrong, "not linked yet", [](library& l) { l.header().e_type = ET_REL; }},
    {"program", base::bare, wrong, "this is a program", [](library& l) { l.header().e_type = ET_EXEC; }},
    {"core_dump", base::bare, wrong, "this is a core dump", [](library& l) { l.header().e_type = ET_CORE; }},
    {"file_type_unknown", base::bare, wrong, "no valid file type", [](library& l) { l.header().e_type = 77; }},
    {"no_program_headers", base::bare, wrong, "no program headers", [](library& l) { l.header().e_phnum = 0; }},
    {"too_many_program_headers", base::bare, wrong, "said to have 200", [](library& l) { l.header().e_phnum = 200; }},
    {"program_headers_of_odd_size", base::bare, wrong, "headers of 57",
     [](library& l) { l.header().e_phentsize = 57; }},
    {"program_headers_beyond_the_end", base::bare, incomplete, "the program header table ends at byte",
     [](library& l) { l.header().e_phoff = l.bytes.size() - 8; }},
    {"program_headers_nowhere", base::bare, wrong, "the program header table is said",
     [](library& l) { l.header().e_phoff = std::uint64_t{1} << 60; }},
    {"program_headers_not_written", base::bare, incomplete, "the program header table is still zeros",
     [](library& l) { std::memset(l.bytes.data() + 64, 0, l.header().e_phnum * 56u); }},
    {"sections_of_odd_size", base::complete, wrong, "the section table is said to begin",
     [](library& l) { l.header().e_shentsize = 10; }},
    {"sections_without_a_place", base::complete, wrong, "the section table is said to begin",
     [](library& l) { l.header().e_shoff = 0; }},
    {"sections_uncounted", base::complete, wrong, "the section table is said to have 0",
     [](library& l) { l.header().e_shnum = 0; }},
    {"sections_beyond_the_end", base::complete, incomplete, "the section table ends at byte",
     [](library& l) { l.bytes.resize(l.bytes.size() - 1); }},
    {"uncounted_sections_beyond_the_end", base::complete, incomplete, "the section table ends at byte",
     [](library& l) {
       l.header().e_shnum = 0;
       l.header().e_shoff = l.bytes.size() - 8;
     }},
    {"section_beyond_the_end", base::complete, incomplete, "section 1 ends at byte",
     [](library& l) { l.section(SHT_NOTE).sh_size = 900'000; }},
    {"sections_not_written", base::complete, incomplete, "the section table is still zeros",
     [](library& l) { std::memset(&l.at<char>(l.header().e_shoff), 0, l.header().e_shnum * 64u); }},
};

const damage segment_damages[] = {
    {"debug_information_only", base::bare, wrong, "only the debug information",
     [](library& l) { l.segment(PT_DYNAMIC).p_filesz = 0; }},
    {"segment_beyond_the_end", base::bare, incomplete, "ends at byte",
     [](library& l) { l.segment(PT_LOAD, 3).p_filesz = l.segment(PT_LOAD, 3).p_memsz = 900'000; }},
    {"segment_larger_in_the_file", base::bare, wrong, "bytes of memory at address",
     [](library& l) { l.segment(PT_LOAD, 3).p_memsz = 8; }},
    {"segment_outside_of_user_space", base::bare, wrong, "bytes of memory at address",
     [](library& l) { l.segment(PT_LOAD, 3).p_memsz = ~std::uint64_t{0}; }},
    {"segment_of_odd_alignment", base::bare, wrong, "can't be mapped",
     [](library& l) { l.segment(PT_LOAD).p_align = 0x1800; }},
    {"segment_of_small_alignment", base::bare, wrong, "can't be mapped",
     [](library& l) { l.segment(PT_LOAD).p_align = 16; }},
    {"segment_of_huge_alignment", base::bare, wrong, "can't be mapped",
     [](library& l) { l.segment(PT_LOAD).p_align = std::uint64_t{1} << 40; }},
    {"segment_out_of_step", base::bare, wrong, "can't be mapped",
     [](library& l) { l.segment(PT_LOAD, 1).p_vaddr += 16; }},
    {"writable_code", base::bare, wrong, "writable and executable",
     [](library& l) { l.segment(PT_LOAD, 1).p_flags = 7; }},
    {"unreadable_segment", base::bare, wrong, "can't be read", [](library& l) { l.segment(PT_LOAD, 1).p_flags = 0; }},
    {"unreadable_tables", base::bare, wrong, "is in a segment that can't be read",
     [](library& l) { l.segment(PT_LOAD, 0).p_flags = PF_X; }},
    {"read_only_zeros", base::bare, wrong, "is read-only, but 8",
     [](library& l) { l.segment(PT_LOAD, 2).p_memsz += 8; }},
    {"segments_overlap_in_memory", base::bare, wrong, "overlaps the one before it",
     [](library& l) { l.segment(PT_LOAD, 1).p_vaddr = 0; }},
    {"segments_overlap_in_the_file", base::bare, wrong, "of the file overlaps",
     [](library& l) { l.segment(PT_LOAD, 1).p_offset = 0; }},
    {"nothing_to_load", base::bare, wrong, "no segment of it",
     [](library& l) {
       for (int i = 0; i != 4; ++i) l.segment(PT_LOAD).p_type = PT_NULL;
     }},
    {"executable_stack", base::bare, wrong, "asks for an executable stack",
     [](library& l) { l.segment(PT_GNU_STACK).p_flags |= PF_X; }},
    {"two_relro", base::bare, wrong, "two blocks of relocated", [](library& l) { replace_note(l, PT_GNU_RELRO); }},
    {"relro_elsewhere", base::bare, wrong, "is not in a writable segment",
     [](library& l) { l.segment(PT_GNU_RELRO).p_vaddr = 0; }},
    {"relro_too_long", base::bare, wrong, "is not in a writable segment",
     [](library& l) { l.segment(PT_GNU_RELRO).p_memsz += 0x2000; }},
    {"note_beyond_the_end", base::bare, incomplete, "a note ends at byte",
     [](library& l) { l.segment(PT_NOTE).p_offset = l.bytes.size(); }},
    {"tls_out_of_step", base::bare, wrong, "the thread-local data is at byte",
     [](library& l) { l.segment(PT_TLS).p_offset += 8; }},
    {"two_dynamic_sections", base::bare, wrong, "two dynamic sections",
     [](library& l) { replace_note(l, PT_DYNAMIC); }},
    {"dynamic_section_not_writable", base::bare, wrong, "in a segment that can't be written",
     [](library& l) {
       l.segment(PT_LOAD, 3).p_flags = PF_R, l.segment(PT_LOAD, 3).p_memsz = l.segment(PT_LOAD, 3).p_filesz;
     }},
    {"two_tls_blocks", base::bare, wrong, "two blocks of thread-local", [](library& l) { replace_note(l, PT_TLS); }},
    {"tls_too_large", base::bare, wrong, "the thread-local data is said",
     [](library& l) { l.segment(PT_TLS).p_memsz = std::uint64_t{1} << 40; }},
    {"tls_larger_in_the_file", base::bare, wrong, "the thread-local data is said",
     [](library& l) { l.segment(PT_TLS).p_memsz = 1; }},
    {"tls_of_odd_alignment", base::bare, wrong, "with an alignment of 3",
     [](library& l) { l.segment(PT_TLS).p_align = 3; }},
    {"note_larger_in_memory", base::bare, wrong, "bytes in memory",
     [](library& l) { l.segment(PT_NOTE).p_memsz += 4; }},
    {"headers_elsewhere", base::bare, wrong, "the program header table is said to be at byte 72",
     [](library& l) {
       Elf64_Phdr& note = l.segment(PT_NOTE);
       note.p_type = PT_PHDR;
       note.p_offset = note.p_vaddr = 72;
       note.p_filesz = note.p_memsz = l.header().e_phnum * 56u;
     }},
    {"headers_of_two_entries_more", base::lld, wrong, "the program header table is said to be at byte 64",
     [](library& l) { l.segment(PT_PHDR).p_filesz = l.segment(PT_PHDR).p_memsz += 112; }},
    {"headers_of_an_entry_less", base::lld, wrong, "the program header table is said to be at byte 64",
     [](library& l) { l.segment(PT_PHDR).p_filesz = l.segment(PT_PHDR).p_memsz -= 56; }},
    {"two_unwind_tables", base::bare, wrong, "two unwind tables", [](library& l) { replace_note(l, PT_GNU_EH_FRAME); }},
    {"no_dynamic_section", base::bare, wrong, "no dynamic section",
     [](library& l) { l.segment(PT_DYNAMIC).p_type = PT_NULL; }},
    {"section_outside", base::complete, wrong, "is outside of the segments",
     [](library& l) { l.section(SHT_INIT_ARRAY).sh_addr = nowhere; }},
    {"section_out_of_step", base::complete, wrong, "its segment puts something else",
     [](library& l) { l.section(SHT_INIT_ARRAY).sh_offset += 8; }},
    {"zeros_section_in_the_file", base::complete, wrong, "its segment puts something else",
     [](library& l) {
       l.section([](const Elf64_Shdr& s) { return s.sh_type == SHT_NOBITS && !(s.sh_flags & SHF_TLS); }).sh_addr -= 16;
     }},
    {"section_without_its_rights", base::complete, wrong, "needs rights",
     [](library& l) {
       l.section([](const Elf64_Shdr& s) { return (s.sh_flags & SHF_EXECINSTR) != 0; }).sh_flags |= SHF_WRITE;
     }},
};

const damage code_damages[] = {
    {"note_too_long", base::bare, wrong, "is in a segment of",
     [](library& l) { l.mapped<Elf64_Nhdr>(l.segment(PT_NOTE).p_vaddr).n_descsz = 1'000'000; }},
    {"note_not_written", base::bare, incomplete, "a note at",
     [](library& l) { l.zero(l.segment(PT_NOTE).p_vaddr, 12); }},
    {"build_id_not_written", base::bare, incomplete, "the build-id is still zeros",
     [](library& l) { l.zero(l.segment(PT_NOTE).p_vaddr + 16, 20); }},
    {"unwind_table_not_written", base::bare, incomplete, "the unwind table at",
     [](library& l) { l.zero(l.unwind(), 12); }},
    {"unwind_table_of_another_version", base::bare, wrong, "has version 2",
     [](library& l) { l.mapped<char>(l.unwind()) = 2; }},
    {"unwind_table_too_long", base::bare, wrong, "is said to list",
     [](library& l) { l.mapped<std::uint32_t>(l.unwind() + 8) = 1'000'000; }},
    {"unwind_table_a_bit_too_long", base::bare, wrong, "is said to list",
     [](library& l) { ++l.mapped<std::uint32_t>(l.unwind() + 8); }},
    {"unwind_table_lists_headers", base::bare, wrong, "where none can be",
     [](library& l) { l.mapped<std::int32_t>(l.unwind() + 12) = -static_cast<std::int32_t>(l.unwind()); }},
    {"unwind_table_out_of_order", base::bare, wrong, "where none can be",
     [](library& l) { std::swap(l.mapped<std::int32_t>(l.unwind() + 12), l.mapped<std::int32_t>(l.unwind() + 20)); }},
    {"frame_not_written", base::bare, incomplete, "the description of the function",
     [](library& l) { l.mapped<std::uint32_t>(l.description(0)) = 0; }},
    {"frame_too_large", base::bare, wrong, "is said to have 1,000,000",
     [](library& l) { l.mapped<std::uint32_t>(l.description(0) + 12) = 1'000'000; }},
    {"code_not_written", base::bare, incomplete, "parts of the code",
     [](library& l) { l.zero(l.symbol("subject_switch").st_value + 5, 20); }},
    {"code_begins_with_zeros", base::bare, incomplete, "parts of the code",
     [](library& l) { l.zero(l.symbol("subject_farewell").st_value, 4); }},
};

const damage dynamic_damages[] = {
    {"dynamic_section_too_short", base::bare, wrong, "has no entry",
     [](library& l) { l.segment(PT_DYNAMIC).p_filesz = 8; }},
    {"entry_twice", base::bare, wrong, "two entries with the tag 0xc",
     [](library& l) { l.entry(DT_FINI).d_tag = DT_INIT; }},
    {"dynamic_section_not_written", base::bare, incomplete, "the dynamic section at byte",
     [](library& l) { l.zero(l.segment(PT_DYNAMIC).p_vaddr, l.segment(PT_DYNAMIC).p_filesz); }},
    {"dynamic_section_ends_at_once", base::bare, wrong, "first entry is its end",
     [](library& l) { l.entry(DT_NEEDED).d_tag = DT_NULL; }},
    {"dynamic_section_without_end", base::bare, wrong, "does not end",
     [](library& l) {
       Elf64_Phdr& dynamic = l.segment(PT_DYNAMIC);
       std::size_t entries = 0;
       while (l.at<Elf64_Dyn>(dynamic.p_offset + entries * 16).d_tag != DT_NULL) ++entries;
       dynamic.p_filesz = entries * 16;
     }},
    {"pie_by_its_flag", base::bare, wrong, "position-independent executable",
     [](library& l) { l.rename(DT_SONAME, DT_FLAGS_1, DF_1_PIE); }},
    {"pie_by_its_interpreter", base::bare, wrong, "position-independent executable",
     [](library& l) {
       l.rename(DT_SONAME, DT_DEBUG);
       l.segment(PT_NOTE).p_type = PT_INTERP;
     }},
    {"not_for_dlopen", base::bare, wrong, "not to be loaded by dlopen",
     [](library& l) { l.rename(DT_SONAME, DT_FLAGS_1, DF_1_NOOPEN); }},
    {"text_relocations_by_entry", base::bare, wrong, "text relocations",
     [](library& l) { l.rename(DT_SONAME, DT_TEXTREL); }},
    {"text_relocations_by_flag", base::bare, wrong, "text relocations",
     [](library& l) { l.rename(DT_SONAME, DT_FLAGS, DF_TEXTREL); }},
    {"relocations_without_addends", base::bare, wrong, "(DT_REL)", [](library& l) { l.rename(DT_SONAME, DT_REL); }},
    {"relocations_packed_for_android", base::bare, wrong, "packed for Android's loader",
     [](library& l) { l.rename(DT_SONAME, 0x60000011); }},
    {"no_symbol_size", base::bare, wrong, "lacks the entry with the tag 11",
     [](library& l) { l.rename(DT_SYMENT, unknown_tag); }},
    {"no_string_table", base::bare, wrong, "lacks the entry with the tag 5",
     [](library& l) { l.rename(DT_STRTAB, unknown_tag); }},
    {"relocations_without_size", base::bare, wrong, "has DT_RELA but lacks DT_RELASZ",
     [](library& l) { l.rename(DT_RELASZ, unknown_tag); }},
    {"size_without_relocations", base::bare, wrong, "has DT_RELASZ but lacks DT_RELA",
     [](library& l) { l.rename(DT_RELA, unknown_tag); }},
    {"calls_without_their_kind", base::bare, wrong, "has DT_JMPREL but lacks DT_PLTREL",
     [](library& l) { l.rename(DT_PLTREL, unknown_tag); }},
    {"calls_without_offset_table", base::bare, wrong, "has DT_JMPREL but lacks DT_PLTGOT",
     [](library& l) { l.rename(DT_PLTGOT, unknown_tag); }},
    {"functions_without_count", base::bare, wrong, "has DT_INIT_ARRAY but lacks",
     [](library& l) { l.rename(DT_INIT_ARRAYSZ, unknown_tag); }},
    {"versions_without_symbols", base::bare, wrong, "has DT_VERNEED but lacks DT_VERSYM",
     [](library& l) { l.rename(DT_VERSYM, unknown_tag); }},
    {"symbols_of_odd_size", base::bare, wrong, "DT_SYMENT is 16, not 24", [](library& l) { l.value(DT_SYMENT) = 16; }},
    {"relocations_of_odd_size", base::bare, wrong, "DT_RELAENT is 25", [](library& l) { ++l.value(DT_RELAENT); }},
    {"calls_of_another_kind", base::bare, wrong, "DT_PLTREL is 17", [](library& l) { l.value(DT_PLTREL) = DT_REL; }},
    {"relocations_end_in_the_middle", base::bare, wrong, "not a multiple of 24",
     [](library& l) { ++l.value(DT_RELASZ); }},
    {"no_relocations", base::bare, wrong, "DT_PLTRELSZ is 0", [](library& l) { l.value(DT_PLTRELSZ) = 0; }},
    {"strings_nowhere", base::bare, wrong, "is not in a segment", [](library& l) { l.value(DT_STRTAB) = nowhere; }},
    {"strings_without_end", base::bare, wrong, "begin and end with a zero",
     [](library& l) {
       const std::uint64_t end = l.value(DT_STRTAB) + l.value(DT_STRSZ);
       l.mapped<char>(end - 1) = l.mapped<char>(end) = 'x';
     }},
    {"strings_without_the_empty_one", base::bare, wrong, "begin and end with a zero",
     [](library& l) { l.mapped<char>(l.value(DT_STRTAB)) = 'x'; }},
    {"strings_not_written", base::bare, incomplete, "the string table is still zeros",
     [](library& l) { l.zero(l.value(DT_STRTAB), l.value(DT_STRSZ)); }},
    {"name_beyond_the_strings", base::bare, wrong, "is at byte 1,000,000 of a string table",
     [](library& l) { l.value(DT_SONAME) = 1'000'000; }},
    {"needed_library_without_name", base::bare, wrong, "needed library is empty",
     [](library& l) { l.value(DT_NEEDED) = 0; }},
    {"dynamic_section_moved", base::complete, wrong, "by the section table",
     [](library& l) {
       l.segment(PT_DYNAMIC).p_vaddr += 16;
       l.segment(PT_DYNAMIC).p_offset += 16;
     }},
    {"symbols_moved", base::complete, wrong, "is not where the dynamic section says",
     [](library& l) { l.value(DT_SYMTAB) += 24; }},
    {"function_array_shortened", base::complete, wrong, "is not where the dynamic section says",
     [](library& l) { l.value(DT_INIT_ARRAYSZ) -= 8; }},
    {"relocations_shortened", base::complete, wrong, "bytes of relocations",
     [](library& l) { l.value(DT_RELASZ) -= 24; }},
};

const damage symbol_damages[] = {
    {"no_hash_table", base::bare, wrong, "it has no hash table",
     [](library& l) { l.rename(DT_GNU_HASH, unknown_tag); }},
    {"hash_table_nowhere", base::bare, wrong, "is not in a segment",
     [](library& l) { l.value(DT_GNU_HASH) = nowhere; }},
    {"hash_table_not_written", base::bare, incomplete, "the hash table at",
     [](library& l) { l.zero(l.value(DT_GNU_HASH), 16); }},
    {"hash_filter_of_odd_size", base::bare, wrong, "a filter of 3 words", [](library& l) { l.hash_word(2) = 3; }},
    {"hash_shift_too_large", base::bare, wrong, "shifted by 40", [](library& l) { l.hash_word(3) = 40; }},
    {"hash_without_buckets", base::bare, wrong, "and 0 buckets", [](library& l) { l.hash_word(0) = 0; }},
    {"hash_begins_late", base::bare, wrong, "before the first, 5,000", [](library& l) { l.hash_word(1) = 5000; }},
    {"hash_chain_without_end", base::bare, wrong, "last chain does not end",
     [](library& l) { l.hash_word(l.first_bucket()) = 0x7fff'ffff; }},
    {"sysv_hash_nowhere", base::sysv, wrong, "is not in a segment", [](library& l) { l.value(DT_HASH) = nowhere; }},
    {"sysv_hash_not_written", base::sysv, incomplete, "the hash table at",
     [](library& l) { l.zero(l.value(DT_HASH), 8); }},
    {"sysv_hash_without_buckets", base::sysv, wrong, "0 buckets", [](library& l) { l.hash_word(0, DT_HASH) = 0; }},
    {"sysv_hash_leads_out", base::sysv, wrong, "a chain of the hash table leads to symbol 77,777",
     [](library& l) { l.hash_word(2, DT_HASH) = 77'777; }},
    {"sysv_hash_goes_in_circles", base::sysv, wrong, "goes in circles",
     [](library& l) {
       const std::uint32_t buckets = l.hash_word(0, DT_HASH), symbols = l.hash_word(1, DT_HASH);
       for (std::uint32_t i = 1; i != symbols; ++i) l.hash_word(2 + buckets + i, DT_HASH) = i;
     }},
    {"symbols_nowhere", base::bare, wrong, "the symbol table, ", [](library& l) { l.value(DT_SYMTAB) = nowhere; }},
    {"symbols_fewer_by_the_sections", base::complete, wrong, "symbols, the section table",
     [](library& l) { l.section(SHT_DYNSYM).sh_size -= 24; }},
    {"dummy_symbol_written", base::bare, wrong, "the first symbol", [](library& l) { l.symbol(0).st_info = 1; }},
    {"symbol_name_beyond_the_strings", base::bare, wrong, "symbol 1's name is at byte 1,000,000",
     [](library& l) { l.symbol(1).st_name = 1'000'000; }},
    {"symbol_of_unknown_type", base::bare, wrong, "of an unknown kind", [](library& l) { set_type(l.symbol(1), 9); }},
    {"symbol_of_unknown_binding", base::bare, wrong, "of an unknown kind",
     [](library& l) { l.symbol(1).st_info = 0x72; }},
    {"symbol_not_written", base::bare, incomplete, "symbol 1 is still zeros", [](library& l) { l.symbol(1) = {}; }},
    {"symbol_with_unknown_bits", base::bare, wrong, "has unknown bits, 0x40",
     [](library& l) { l.symbol("subject_sum").st_other = 0x40; }},
    {"undefined_with_a_value", base::bare, wrong, "neither defined nor",
     [](library& l) { l.symbol("qsort").st_value = 8; }},
    {"undefined_and_local", base::bare, wrong, "neither defined nor",
     [](library& l) { l.symbol("qsort").st_info = STT_FUNC; }},
    {"undefined_and_protected", base::bare, wrong, "neither defined nor",
     [](library& l) { l.symbol("qsort").st_other = STV_PROTECTED; }},
    {"defined_but_not_hashed", base::bare, wrong, "but not in the hash table",
     [](library& l) { l.symbol("qsort").st_shndx = 5; }},
    {"symbol_in_a_reserved_section", base::bare, wrong, "is in section 0xff20",
     [](library& l) { l.symbol("subject_sum").st_shndx = 0xff20; }},
    {"thread_local_outside", base::bare, wrong, "the thread-local variable",
     [](library& l) {
       set_type(l.symbol("subject_primes"), STT_TLS);
       l.symbol("subject_primes").st_value = 1'000'000;
     }},
    {"function_in_the_headers", base::bare, wrong, "where no code is",
     [](library& l) { l.symbol("subject_sum").st_value = 8; }},
    {"function_in_the_data", base::bare, wrong, "where no code is",
     [](library& l) { l.symbol("subject_sum").st_value = l.symbol("subject_primes").st_value; }},
    {"function_beyond_its_segment", base::bare, wrong, "where no code is",
     [](library& l) { l.symbol("subject_sum").st_size = 1'000'000; }},
    {"function_shifted", base::bare, wrong, "only a part of another's code",
     [](library& l) { l.symbol("subject_switch").st_value += 8; }},
    {"function_cut", base::bare, wrong, "only a part of another's code",
     [](library& l) { l.symbol("subject_switch").st_size -= 8; }},
    {"variable_nowhere", base::bare, wrong, "is outside of the segments",
     [](library& l) { l.symbol("subject_primes").st_value = nowhere; }},
    {"variable_between_sections", base::complete, wrong, "is not inside a section",
     [](library& l) { l.symbol("subject_primes").st_value = 16; }},
    {"name_hashed_but_undefined", base::bare, wrong, "but is not exported",
     [](library& l) { l.symbol("subject_sum").st_shndx = SHN_UNDEF, l.symbol("subject_sum").st_value = 0; }},
    {"name_hashed_but_local", base::bare, wrong, "but is not exported",
     [](library& l) { l.symbol("subject_sum").st_info = STT_FUNC; }},
    {"name_of_another", base::bare, wrong, "another hash for",
     [](library& l) { l.symbol("subject_sum").st_name = l.symbol("subject_sort").st_name; }},
    {"name_not_in_the_filter", base::bare, wrong, "another hash for",
     [](library& l) { l.zero(l.value(DT_GNU_HASH) + 16, l.hash_word(2) * 8); }},
    {"bucket_leads_elsewhere", base::bare, wrong, "does not lead to it",
     [](library& l) {
       std::size_t bucket = l.first_bucket();
       while (l.hash_word(bucket) == 0) ++bucket;
       ++l.hash_word(bucket);
     }},
    {"chain_goes_on", base::bare, wrong, "in the wrong bucket",
     [](library& l) {
       std::size_t word = l.first_chain();
       while ((l.hash_word(word) & 1) == 0) ++word;
       l.hash_word(word) &= ~1u;
     }},
    {"bucket_too_many", base::usual, wrong, "buckets in use",
     [](library& l) {
       std::size_t empty = l.first_bucket();
       while (l.hash_word(empty) != 0) ++empty;
       l.hash_word(empty) = l.hash_word(1);
     }},
    {"sysv_name_in_the_wrong_bucket", base::sysv, wrong, "in the wrong bucket",
     [](library& l) { std::swap(l.hash_word(2, DT_HASH), l.hash_word(3, DT_HASH)); }},
    {"sysv_names_lost", base::sysv, wrong, "the hash table leads to",
     [](library& l) { l.zero(l.value(DT_HASH) + 8, l.hash_word(0, DT_HASH) * 4); }},
    {"versions_gone", base::bare, wrong, "no version is there",
     [](library& l) {
       l.rename(DT_VERNEED, unknown_tag);
       l.rename(DT_VERNEEDNUM, unknown_tag);
     }},
    {"needed_versions_without_end", base::bare, wrong, "needed versions does not end",
     [](library& l) { ++l.value(DT_VERNEEDNUM); }},
    {"needed_versions_nowhere", base::bare, wrong, "needed versions does not end",
     [](library& l) { l.value(DT_VERNEED) = nowhere; }},
    {"needed_version_of_a_stranger", base::bare, wrong, "of a library that it does not need",
     [](library& l) { l.mapped<Elf64_Verneed>(l.value(DT_VERNEED)).vn_file = l.symbol("qsort").st_name; }},
    {"needed_version_with_another_hash", base::bare, wrong, "has no valid name",
     [](library& l) {
       const std::uint64_t at = l.value(DT_VERNEED);
       l.mapped<Elf64_Vernaux>(at + l.mapped<Elf64_Verneed>(at).vn_aux).vna_hash ^= 1;
     }},
    {"needed_version_without_end", base::bare, wrong, "has no valid name",
     [](library& l) {
       const std::uint64_t at = l.value(DT_VERNEED);
       l.mapped<Elf64_Vernaux>(at + l.mapped<Elf64_Verneed>(at).vn_aux).vna_next = 64;
     }},
    {"versions_nowhere", base::bare, wrong, "the symbols' versions at",
     [](library& l) { l.value(DT_VERSYM) = nowhere; }},
    {"version_unknown", base::bare, wrong, "symbol 1 has version 77",
     [](library& l) { l.mapped<std::uint16_t>(l.value(DT_VERSYM) + 2) = 77; }},
};

const damage relocation_damages[] = {
    {"functions_not_writable", base::bare, wrong, "is not in a writable segment",
     [](library& l) { l.value(DT_INIT_ARRAY) = 64; }},
    {"termination_functions_not_writable", base::bare, wrong,
     "DT_FINI_ARRAY, 2 functions at 0x40, is not in a writable", [](library& l) { l.value(DT_FINI_ARRAY) = 64; }},
    {"relocations_nowhere", base::bare, wrong, "are not in a segment", [](library& l) { l.value(DT_RELA) = nowhere; }},
    {"calls_nowhere", base::bare, wrong, "the relocations of DT_JMPREL",
     [](library& l) { l.value(DT_JMPREL) = nowhere; }},
    {"relative_too_many", base::bare, wrong, "are said to be relative",
     [](library& l) { l.value(DT_RELACOUNT) = 1'000; }},
    {"relative_is_not", base::bare, wrong, "is not a relative one", [](library& l) { ++l.value(DT_RELACOUNT); }},
    {"relative_out_of_order", base::bare, wrong, "is out of order",
     [](library& l) { std::swap(l.relocation(0).r_offset, l.relocation(1).r_offset); }},
    {"relative_overlaps", base::bare, wrong, "overlaps the one before it",
     [](library& l) {
       l.rename(DT_RELACOUNT, unknown_tag);
       l.relocation(5).r_offset = l.relocation(4).r_offset + 1;
     }},
    {"call_does_nothing", base::bare, wrong, "does nothing",
     [](library& l) { l.call(l.relocations(DT_PLTRELSZ) - 1) = {}; }},
    {"relocation_half_empty", base::bare, wrong, "does nothing",
     [](library& l) { l.relocation(l.relocations() - 1).r_info = 0; }},
    {"relocations_not_written", base::bare, incomplete, "are still zeros",
     [](library& l) { l.relocation(l.relocations() - 2) = {}; }},
    {"relative_not_written", base::bare, incomplete, "are still zeros",
     [](library& l) {
       l.rename(DT_RELACOUNT, unknown_tag);
       l.relocation(4) = {};
     }},
    {"call_out_of_order", base::bare, wrong, "is out of order",
     [](library& l) { l.call(l.relocations(DT_PLTRELSZ) - 1).r_offset += 8; }},
    {"call_slots_elsewhere", base::bare, wrong, "is out of order", [](library& l) { l.value(DT_PLTGOT) += 8; }},
    {"lone_pointer_into_a_function", base::bare, incomplete, "into the middle of a function",
     [](library& l) {
       for (std::size_t i = 0;; ++i) {
         for (std::size_t f = 0; f != l.mapped<std::uint32_t>(l.unwind() + 8); ++f) {
           const bool array = l.relocation(i).r_offset < l.value(DT_FINI_ARRAY) + l.value(DT_FINI_ARRAYSZ);
           if (array || static_cast<std::uint64_t>(l.relocation(i).r_addend) != l.function(f)) continue;
           ++l.relocation(i).r_addend;
           return;
         }
       }
     }},
    {"function_not_relocated", base::bare, wrong, "DT_INIT_ARRAY has 2 functions, but 1",
     [](library& l) {
       l.rename(DT_RELACOUNT, unknown_tag);
       l.relocation_at(l.value(DT_INIT_ARRAY)).r_offset = l.value(DT_PLTGOT) + 8;
     }},
    {"function_relocated_twice", base::bare, wrong, "relocated twice",
     [](library& l) {
       l.rename(DT_RELACOUNT, unknown_tag);
       l.relocation(6).r_offset = l.value(DT_INIT_ARRAY);
     }},
    {"initialization_in_the_headers", base::bare, wrong, "the initialization function is at 0x8, where no code is",
     [](library& l) { l.value(DT_INIT) = 8; }},
    {"termination_in_the_middle", base::bare, wrong, "the termination function",
     [](library& l) { l.value(DT_FINI) = l.symbol("subject_switch").st_value + 4; }},
    {"initialization_not_written", base::bare, incomplete, "the initialization function",
     [](library& l) { l.zero(l.value(DT_INIT), 4); }},
    {"constructor_in_the_data", base::bare, wrong, "a function of DT_INIT_ARRAY",
     [](library& l) {
       l.relocation_at(l.value(DT_INIT_ARRAY)).r_addend =
           static_cast<std::int64_t>(l.symbol("subject_primes").st_value);
     }},
    {"relocation_of_a_program", base::bare, wrong, "that has no place in a shared library",
     [](library& l) { l.relocation(l.first(R_X86_64_GLOB_DAT)).r_info -= R_X86_64_GLOB_DAT - R_X86_64_COPY; }},
    {"relocation_in_the_code", base::bare, wrong, "outside of the writable segments",
     [](library& l) { l.relocation(l.first(R_X86_64_GLOB_DAT)).r_offset = l.symbol("subject_sum").st_value & ~7ull; }},
    {"relocation_of_the_dynamic_section", base::bare, wrong, "would change the dynamic section",
     [](library& l) { l.relocation(l.first(R_X86_64_GLOB_DAT)).r_offset = l.segment(PT_DYNAMIC).p_vaddr; }},
    {"relocation_for_no_symbol", base::bare, wrong, "uses symbol 1,000 of",
     [](library& l) { l.relocation(l.first(R_X86_64_GLOB_DAT)).r_info = ELF64_R_INFO(1'000ull, R_X86_64_GLOB_DAT); }},
    {"slot_not_aligned", base::bare, wrong, "is not aligned",
     [](library& l) { ++l.relocation(l.first(R_X86_64_GLOB_DAT)).r_offset; }},
    {"relative_with_a_symbol", base::bare, wrong, "a symbol that it does not need",
     [](library& l) { l.relocation(0).r_info = ELF64_R_INFO(1ull, R_X86_64_RELATIVE); }},
    {"pointer_out_of_the_library", base::bare, wrong, "outside of the library",
     [](library& l) { l.relocation(5).r_addend = nowhere; }},
    {"pointer_into_the_headers", base::bare, wrong, "into the headers",
     [](library& l) { l.relocation(6).r_addend = 8; }},
    {"pointers_not_written", base::bare, incomplete, "the relocations up to",
     [](library& l) { l.relocation(6).r_addend = l.relocation(7).r_addend = 0; }},
    {"slot_without_a_symbol", base::bare, wrong, "fills a slot without a symbol",
     [](library& l) { l.relocation(l.first(R_X86_64_GLOB_DAT)).r_info = R_X86_64_GLOB_DAT; }},
    {"slot_with_an_addend", base::bare, wrong, "or with an addend", [](library& l) { l.call(0).r_addend = 8; }},
    {"symbol_with_two_slots", base::bare, wrong, "a second slot",
     [](library& l) { l.call(1).r_info = l.call(0).r_info; }},
    {"slot_filled_twice", base::bare, wrong, "filled already",
     [](library& l) {
       const std::size_t slot = l.first(R_X86_64_GLOB_DAT);
       l.relocation(slot + 1).r_offset = l.relocation(slot).r_offset;
     }},
    {"tls_module_with_an_addend", base::bare, wrong, "has an addend or lacks a symbol",
     [](library& l) { l.relocation(l.first(R_X86_64_DTPMOD64)).r_addend = 8; }},
    {"tls_offset_without_a_symbol", base::bare, wrong, "has an addend or lacks a symbol",
     [](library& l) { l.relocation(l.first(R_X86_64_DTPMOD64)).r_info = R_X86_64_DTPOFF64; }},
    {"tls_of_a_function", base::bare, wrong, "thread-local variable, but its symbol is none",
     [](library& l) {
       l.relocation(l.first(R_X86_64_DTPMOD64)).r_info = ELF64_R_INFO(l.index_of("subject_sum"), R_X86_64_DTPMOD64);
     }},
    {"tls_without_a_block", base::bare, wrong, "but the library has none",
     [](library& l) { l.segment(PT_TLS).p_type = PT_NULL; }},
    {"tls_beyond_the_block", base::bare, wrong, "beyond the library's",
     [](library& l) {
       Elf64_Rela& module = l.relocation(l.first(R_X86_64_DTPMOD64));
       module.r_info = R_X86_64_TPOFF64;
       module.r_addend = 1'000'000;
     }},
    {"tls_place_beyond_the_block", base::bare, wrong, "is not followed by a place",
     [](library& l) { l.mapped<std::uint64_t>(l.relocation(l.first(R_X86_64_DTPMOD64)).r_offset + 8) = 1'000'000; }},
    {"address_of_a_thread_local", base::bare, wrong, "but its symbol is thread-local",
     [](library& l) { set_type(l.symbol("__cxa_finalize"), STT_TLS); }},
    {"call_of_a_variable", base::bare, wrong, "but its symbol is a variable",
     [](library& l) { set_type(l.symbol("qsort"), STT_OBJECT); }},
    {"call_stub_in_the_headers", base::bare, wrong, "no code to bind the call",
     [](library& l) { l.mapped<std::uint64_t>(l.call(0).r_offset) = 8; }},
    {"call_stub_not_written", base::lld, incomplete, "that binds calls is still zeros",
     [](library& l) { l.zero(l.mapped<std::uint64_t>(l.call(0).r_offset), 4); }},
    {"address_of_nothing", base::bare, wrong, "adds nothing to nothing",
     [](library& l) {
       l.rename(DT_RELACOUNT, unknown_tag);
       l.relocation(6).r_info = R_X86_64_64;
     }},
    {"slot_outside_of_the_offset_table", base::complete, wrong, "outside of the global offset table",
     [](library& l) {
       const auto& zeros =
           l.section([](const Elf64_Shdr& s) { return s.sh_type == SHT_NOBITS && !(s.sh_flags & SHF_TLS); });
       l.relocation(l.relocations() - 1).r_offset = zeros.sh_addr & ~7ull;
     }},
    {"bitmaps_nowhere", base::relr, wrong, "the relative relocations of DT_RELR",
     [](library& l) { l.value(DT_RELR) = nowhere; }},
    {"bitmap_without_an_address", base::relr, wrong, "does not begin with an address",
     [](library& l) { l.mapped<std::uint64_t>(l.value(DT_RELR)) = 3; }},
    {"bitmaps_out_of_order", base::relr, wrong, "of DT_RELR is out of order",
     [](library& l) { l.mapped<std::uint64_t>(l.value(DT_RELR) + 8) = l.mapped<std::uint64_t>(l.value(DT_RELR)); }},
    {"bitmap_of_read_only_words", base::relr, wrong, "outside of the writable segments",
     [](library& l) { l.mapped<std::uint64_t>(l.value(DT_RELR)) = 8; }},
    {"bitmap_of_a_strange_pointer", base::relr, wrong, "outside of the library",
     [](library& l) { l.mapped<std::uint64_t>(l.mapped<std::uint64_t>(l.value(DT_RELR))) = nowhere; }},
    {"bitmap_of_pointers_not_written", base::relr, incomplete, "the pointers up to",
     [](library& l) { l.zero(l.value(DT_FINI_ARRAY) + l.value(DT_FINI_ARRAYSZ), 64); }},
};

const auto name_of = [](const auto& info) { return std::string(info.param.name); };
INSTANTIATE_TEST_SUITE_P(headers, damaged, testing::ValuesIn(header_damages), name_of);
INSTANTIATE_TEST_SUITE_P(segments, damaged, testing::ValuesIn(segment_damages), name_of);
INSTANTIATE_TEST_SUITE_P(code, damaged, testing::ValuesIn(code_damages), name_of);
INSTANTIATE_TEST_SUITE_P(dynamic_section, damaged, testing::ValuesIn(dynamic_damages), name_of);
INSTANTIATE_TEST_SUITE_P(symbols, damaged, testing::ValuesIn(symbol_damages), name_of);
INSTANTIATE_TEST_SUITE_P(relocations, damaged, testing::ValuesIn(relocation_damages), name_of);

// ---- what is whole -------------------------------------------------------------------------------------------------

class every_linker : public testing::Test {
 protected:
  void SetUp() override {
    if (!std::filesystem::is_directory(subjects_directory())) GTEST_SKIP() << "AUTORELOAD_SUBJECTS names no directory";
    for (const auto& file : std::filesystem::directory_iterator(subjects_directory())) {
      const std::string name = file.path().filename();
      if (name.starts_with("small-") && name.ends_with(".so")) paths_.push_back(file.path());
    }
    std::sort(paths_.begin(), paths_.end());
    if (paths_.empty()) GTEST_SKIP() << "no compiler and linker made a library in " << subjects_directory();
  }

  std::vector<std::string> paths_;
};

TEST_F(every_linker, makes_libraries_that_are_accepted_with_and_without_sections) {
  for (const std::string& path : paths_) {
    library lib(path);
    const inspection found = lib.inspect();
    EXPECT_EQ(found.is, verdict::sound) << path << ": " << said(found);
    EXPECT_TRUE(found.warnings.empty()) << path;
    EXPECT_EQ(found.facts.soname, "libsubject.so") << path;
    EXPECT_NE(std::find(found.facts.needed.begin(), found.facts.needed.end(), "libc.so.6"), found.facts.needed.end())
        << path;
    EXPECT_GE(found.facts.segments.size(), 2u) << path;
    EXPECT_EQ(found.facts.tls_size, 4u) << path;
    lib.drop_sections();
    EXPECT_EQ(lib.inspect().is, verdict::sound) << path << " without sections: " << said(lib.inspect());
  }
}

TEST_F(every_linker, tells_every_exported_name_and_no_other) {
  for (const std::string& path : paths_) {
    const library lib(path);
    const auto names = lib.names();
    const std::set<std::string> all(names.begin(), names.end());
    for (const char* name : {"subject_sum", "subject_primes", "subject_farewell"})
      EXPECT_TRUE(all.contains(name)) << path << ": " << name;
    for (const char* name : {"qsort", "begin", "words"}) EXPECT_FALSE(all.contains(name)) << path << ": " << name;
  }
}

TEST_F(every_linker, leaves_an_incomplete_file_wherever_it_is_stopped) {
  for (const std::string& path : paths_) {
    const library whole(path);
    for (std::size_t length = 0; length < whole.bytes.size(); length += length < 128 ? 1 : 61) {
      library cut = whole;
      cut.bytes.resize(length);
      ASSERT_EQ(cut.inspect().is, verdict::incomplete) << path << " at " << length << ": " << said(cut.inspect());
    }
    library cut = whole;
    cut.bytes.pop_back();
    EXPECT_EQ(cut.inspect().is, verdict::incomplete) << path << " without its last byte";
  }
}

// gold makes the file at its full size and fills it in any order; ld.bfd writes the header late.
TEST_F(every_linker, is_not_believed_while_pages_of_the_loader_tables_are_zeros) {
  for (const std::string& path : paths_) {
    library whole(path);
    std::vector<std::pair<std::uint64_t, std::uint64_t>> tables{
        {0, 64}, {64, whole.header().e_phnum * 56u}, {whole.header().e_shoff, whole.header().e_shnum * 64u}};
    for (std::size_t i = 1; i != whole.header().e_shnum; ++i) {
      const auto& section = whole.at<Elf64_Shdr>(whole.header().e_shoff + i * 64);
      const bool of_the_loader = section.sh_type != SHT_PROGBITS && section.sh_type != SHT_NOBITS &&
                                 section.sh_type != SHT_INIT_ARRAY && section.sh_type != SHT_FINI_ARRAY;
      const bool code = (section.sh_flags & SHF_EXECINSTR) != 0 && section.sh_size > 200;
      if ((section.sh_flags & SHF_ALLOC) != 0 && (of_the_loader || code))
        tables.emplace_back(section.sh_offset, section.sh_size);
    }
    for (const auto& [offset, size] : tables) {
      library hole = whole;
      std::memset(hole.bytes.data() + offset, 0, size);
      EXPECT_NE(hole.inspect().is, verdict::sound) << path << ": " << size << " zeros at " << offset;
    }
    library zeros = whole;
    std::fill(zeros.bytes.begin(), zeros.bytes.end(), '\0');
    EXPECT_EQ(zeros.inspect().is, verdict::incomplete) << path;
  }
}

// A snapshot may leave out what the loader does not map.
TEST_F(every_linker, may_have_holes_where_nothing_is_loaded) {
  for (const std::string& path : paths_) {
    library lib(path);
    for (std::size_t i = 1; i != lib.header().e_shnum; ++i) {
      const Elf64_Shdr section = lib.at<Elf64_Shdr>(lib.header().e_shoff + i * 64);
      if ((section.sh_flags & SHF_ALLOC) == 0 && section.sh_type != SHT_NOBITS) {
        std::memset(lib.bytes.data() + section.sh_offset, 0, section.sh_size);
      }
    }
    EXPECT_EQ(lib.inspect().is, verdict::sound) << path << ": " << said(lib.inspect());
  }
}

TEST_F(every_linker, has_a_library_for_the_other_machine) {
  const std::string path = subjects_directory() + "/aarch64.so";
  if (!std::filesystem::exists(path)) GTEST_SKIP() << "clang and ld.lld are not installed";
  library lib(path);
  EXPECT_EQ(lib.inspect(elf_machine::aarch64).is, verdict::sound) << said(lib.inspect(elf_machine::aarch64));
  EXPECT_NE(said(lib.inspect(elf_machine::x86_64)).find("for aarch64, and this program runs on x86-64"),
            std::string::npos);
  lib.drop_sections();
  EXPECT_EQ(lib.inspect(elf_machine::aarch64).is, verdict::sound) << said(lib.inspect(elf_machine::aarch64));
  lib.relocation(0).r_info = R_X86_64_RELATIVE;  // the wrong machine's
  EXPECT_EQ(lib.inspect(elf_machine::aarch64).is, verdict::wrong);
}

// ---- what compilers and linkers really make when they are asked for trouble ----------------------------------------

class asked_for_trouble : public testing::Test {
 protected:
  inspection build(const std::string& source, const std::string& flags) {
    support::build_library(path_, source, flags);
    return library(path_).inspect(autoreload::this_machine);
  }

  support::temp_directory directory_;
  std::string path_ = directory_ / "lib.so";
  const std::string source_ = "int value(void) { return 4; }";
};

TEST_F(asked_for_trouble, an_executable_stack_is_refused_with_the_flag_that_mends_it) {
  const inspection found = build(source_, "-Wl,-z,execstack");
  EXPECT_EQ(found.is, verdict::wrong);
  EXPECT_NE(found.advice.find("-Wl,-z,noexecstack"), std::string::npos) << said(found);
}

TEST_F(asked_for_trouble, an_object_an_archive_and_a_program_are_told_apart) {
  const std::string cc = support::c_compiler();
  support::write_file(directory_ / "a.c", source_ + " int main(void) { return 0; }");
  support::shell("cd '" + directory_.path().string() + "' && " + cc + " -c -fPIC a.c -o a.o && ar rc a.a a.o && " + cc +
                 " -pie -fPIE a.c -o pie && " + cc + " -no-pie a.c -o program");
  const auto reason = [&](const char* name) {
    return library(directory_ / name).inspect(autoreload::this_machine).reason;
  };
  EXPECT_NE(reason("a.o").find("not linked yet"), std::string::npos) << reason("a.o");
  EXPECT_NE(reason("a.a").find("static archive"), std::string::npos) << reason("a.a");
  EXPECT_NE(reason("pie").find("position-independent executable"), std::string::npos) << reason("pie");
  EXPECT_NE(reason("program").find("this is a program"), std::string::npos) << reason("program");
}

TEST_F(asked_for_trouble, a_library_that_may_not_be_opened_or_changes_its_code_is_refused) {
  EXPECT_NE(said(build(source_, "-Wl,-z,nodlopen")).find("-Wl,-z,nodlopen"), std::string::npos);
#if defined(__x86_64__)
  const inspection text =
      build("extern int other; void* value(void) { return &other; }", "-fno-pic -mcmodel=large -Wl,-z,notext -w");
  EXPECT_EQ(text.is, verdict::wrong);
  EXPECT_NE(text.advice.find("-fPIC"), std::string::npos) << said(text);
#endif
}

TEST_F(asked_for_trouble, what_makes_reloading_hard_is_said_with_the_flag_that_mends_it) {
  const inspection kept = build(source_, "-Wl,-z,nodelete -Wl,-rpath,/one:/two");
  ASSERT_EQ(kept.is, verdict::sound) << said(kept);
  EXPECT_TRUE(kept.facts.no_delete);
  EXPECT_EQ(kept.facts.run_path, (std::vector<std::string>{"/one", "/two"}));
  ASSERT_EQ(kept.warnings.size(), 1u);
  EXPECT_NE(kept.warnings[0].find("-Wl,-z,nodelete"), std::string::npos);

  const inspection local =
      build("static __thread int mine[16]; int value(int i) { return mine[i]++; }", "-ftls-model=initial-exec");
  ASSERT_EQ(local.is, verdict::sound) << said(local);
  EXPECT_TRUE(local.facts.static_tls);
  EXPECT_EQ(local.facts.tls_size, 64u);
  ASSERT_EQ(local.warnings.size(), 1u);
  EXPECT_NE(local.warnings[0].find("-ftls-model=global-dynamic"), std::string::npos);

  // Reading another library's thread-local variable takes no room of one's own.
  const inspection reader =
      build("extern __thread int other; int value(void) { return other; }", "-ftls-model=initial-exec");
  ASSERT_EQ(reader.is, verdict::sound) << said(reader);
  EXPECT_TRUE(reader.warnings.empty());
}

TEST_F(asked_for_trouble, unique_symbols_are_named) {
  const std::string source = directory_ / "unique.cpp";
  support::write_file(
      source, "inline int& one() { static int value; return value; } extern \"C\" int get() { return one()++; }");
  const std::string gxx = "g++ -shared -fPIC '" + source + "' -o '" + path_ + "'";
  if (std::system("g++ --version > /dev/null 2>&1") != 0) GTEST_SKIP() << "g++ is not installed";
  support::shell(gxx);
  const inspection found = library(path_).inspect(autoreload::this_machine);
  ASSERT_EQ(found.is, verdict::sound) << said(found);
  EXPECT_EQ(found.facts.unique_symbols, std::vector<std::string>{"_ZZ3onevE5value"});
  ASSERT_EQ(found.warnings.size(), 1u);
  EXPECT_NE(found.warnings[0].find("-fno-gnu-unique"), std::string::npos);
  support::shell(gxx + " -fno-gnu-unique");
  EXPECT_TRUE(library(path_).inspect(autoreload::this_machine).warnings.empty());
}

TEST_F(asked_for_trouble, the_build_id_is_read) {
  const inspection found = build(source_, "-Wl,--build-id=0x0123456789abcdef");
  ASSERT_EQ(found.is, verdict::sound) << said(found);
  ASSERT_EQ(found.facts.build_id.size(), 8u);
  EXPECT_EQ(found.facts.build_id[1], std::byte{0x23});
  EXPECT_TRUE(build(source_, "-Wl,--build-id=none").facts.build_id.empty());
}

TEST_F(asked_for_trouble, damaged_versions_of_its_own_are_refused) {
  support::write_file(directory_ / "map", "ONE { global: value; local: *; };");
  ASSERT_EQ(build(source_, "-Wl,--version-script='" + (directory_ / "map") + "'").is, verdict::sound);
  library lib(path_);
  lib.drop_sections();
  library endless = lib;
  ++endless.value(DT_VERDEFNUM);
  EXPECT_NE(said(endless.inspect(autoreload::this_machine)).find("its own versions does not end"), std::string::npos);
  library nameless = lib;
  nameless.mapped<Elf64_Verdef>(nameless.value(DT_VERDEF)).vd_hash ^= 1;
  EXPECT_NE(said(nameless.inspect(autoreload::this_machine)).find("a version of its own"), std::string::npos);
}

TEST_F(asked_for_trouble, code_without_frame_descriptions_is_looked_at_too) {
  ASSERT_EQ(build(source_, "-fno-asynchronous-unwind-tables").is, verdict::sound);
  library lib(path_);
  lib.zero(lib.symbol("value").st_value, 4);  // no code begins so, however old the file is
  EXPECT_NE(said(lib.inspect(autoreload::this_machine, writing::is_over)).find("parts of the function \"value\""),
            std::string::npos);
  EXPECT_NE(said(lib.inspect(autoreload::this_machine)).find("parts of the function \"value\""), std::string::npos)
      << said(lib.inspect(autoreload::this_machine));
}

// Nothing to find by name: the hash table is empty, and does not tell how many symbols there are.
TEST_F(asked_for_trouble, a_library_that_exports_nothing_is_accepted) {
  const inspection found =
      build("extern int puts(const char*); __attribute__((constructor)) static void hi(void) { puts(\"\"); }",
            "-fvisibility=hidden");
  EXPECT_EQ(found.is, verdict::sound) << said(found);
  EXPECT_TRUE(library(path_).names().empty());
}

TEST_F(asked_for_trouble, tools_that_rewrite_libraries_leave_them_acceptable) {
  support::build_library(path_, source_, "-g");
  const std::string out = directory_ / "out.so";
  bool any = false;
  for (const std::string tool : {"strip -o OUT IN", "objcopy --strip-debug IN OUT",
                                 "patchelf --set-rpath /a/long/path/that/moves/the/strings --output OUT IN",
                                 "patchelf --add-needed libm.so.6 --output OUT IN"}) {
    std::string command = tool;
    command.replace(command.find("OUT"), 3, "'" + out + "'");
    command.replace(command.find("IN"), 2, "'" + path_ + "'");
    if (std::system(("command -v " + tool.substr(0, tool.find(' ')) + " > /dev/null").c_str()) != 0) continue;
    any = true;
    support::shell(command);
    const inspection found = library(out).inspect(autoreload::this_machine);
    EXPECT_EQ(found.is, verdict::sound) << tool << ": " << said(found);
  }
  if (!any) GTEST_SKIP() << "neither binutils nor patchelf is installed";
}

// ---- what the loader takes is accepted, however odd --------------------------------------------------------------

struct odd_build {
  const char* name;
  const char* source;
  const char* flags;
  const char* compiler = nullptr;  // null: the project's own
};

std::ostream& operator<<(std::ostream& out, const odd_build& one) { return out << one.name; }

constexpr const char* registry = R"(
__attribute__((section("set"), used)) static int one = 4;
extern int __start_set[] __attribute__((visibility("hidden")));
extern int __stop_set[] __attribute__((visibility("hidden")));
int value(void) { return __start_set[0] + (int)(__stop_set - __start_set) - 1; })";
constexpr const char* empty_registry = R"(
extern int __start_none[] __attribute__((visibility("hidden"), weak));
extern int seen __attribute__((visibility("protected"), weak));
int value(void) { return __start_none == &seen ? 4 : 4; })";
constexpr const char* pointers = R"(
static int numbers[3]; static __thread int mine;
int* const where[] = {&numbers[1], &numbers[2]};
__attribute__((constructor)) static void begin(void) { numbers[0] = 4; }
int value(void) { return where[0] == &numbers[1] ? numbers[0] + mine : -1; })";
constexpr const char* bare = "int value(void) { return 4; }";

const odd_build odd_builds[] = {
    {"registry_bfd", registry, "-fuse-ld=bfd"},
    {"registry_bfd_sysv", registry, "-fuse-ld=bfd -Wl,--hash-style=sysv"},
    {"registry_gold", registry, "-fuse-ld=gold"},
    {"registry_lld", registry, "-fuse-ld=lld"},
    {"registry_mold", registry, "-fuse-ld=mold"},
    {"registry_of_hidden_bounds", registry, "-fuse-ld=bfd -Wl,-z,start-stop-visibility=hidden"},
    {"registry_of_internal_bounds", registry, "-fuse-ld=bfd -Wl,-z,start-stop-visibility=internal"},
    {"registry_without_members_gold", empty_registry, "-fuse-ld=gold"},
    {"registry_without_members_lld", empty_registry, "-fuse-ld=lld"},
    {"profile_generate", pointers, "-fprofile-generate", "gcc"},
    {"profile_instr_generate", pointers, "-fprofile-instr-generate -fcoverage-mapping", "clang"},
    {"profile_instr_generate_gold", pointers, "-fprofile-generate -fuse-ld=gold", "clang"},
    {"base_bfd", pointers, "-fuse-ld=bfd -Wl,-Ttext-segment=0x10000000"},
    {"base_bfd_without_run_time", bare, "-fuse-ld=bfd -nostdlib -Wl,-Ttext-segment=0x10000000"},
    {"base_bfd_sysv", pointers, "-fuse-ld=bfd -Wl,--hash-style=sysv -Wl,-Ttext-segment=0x10000000"},
    {"base_gold", pointers, "-fuse-ld=gold -Wl,-Ttext-segment=0x10000000"},
    {"base_gold_without_run_time", bare, "-fuse-ld=gold -nostdlib -Wl,-Ttext-segment=0x10000000"},
    {"base_gold_text", pointers, "-fuse-ld=gold -Wl,-Ttext=0x200000"},
    {"base_lld", pointers, "-fuse-ld=lld -Wl,--image-base=0x10000000"},
    {"base_lld_without_run_time", bare, "-fuse-ld=lld -nostdlib -Wl,--image-base=0x10000000"},
    {"base_mold", pointers, "-fuse-ld=mold -Wl,--image-base=0x10000000"},
    {"without_run_time_lld", bare, "-fuse-ld=lld -nostdlib"},
    {"without_run_time_and_descriptions_lld", bare, "-fuse-ld=lld -nostdlib -fno-asynchronous-unwind-tables"},
    {"without_run_time_mold", bare, "-fuse-ld=mold -nostdlib"},
    {"relocations_by_section", pointers, "-fuse-ld=bfd -Wl,--unique"},
    {"code_to_be_executed_alone", pointers, "-fuse-ld=mold -Wl,--execute-only"},
};

class odd : public testing::TestWithParam<odd_build> {};

TEST_P(odd, library_is_accepted_because_the_loader_takes_it) {
  const odd_build& one = GetParam();
  const support::temp_directory directory;
  const std::string path = directory / "lib.so";
  support::write_file(directory / "lib.c", one.source);
  const std::string compiler = one.compiler != nullptr ? one.compiler : support::c_compiler();
  const std::string command =
      compiler + " -shared -fPIC -w -o '" + path + "' '" + directory / "lib.c" + "' " + one.flags + " > /dev/null 2>&1";
  if (std::system(command.c_str()) != 0) GTEST_SKIP() << "nothing here builds it: " << command;
  void* const handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  ASSERT_NE(handle, nullptr) << dlerror();
  EXPECT_EQ(reinterpret_cast<int (*)()>(dlsym(handle, "value"))(), 4);
  dlclose(handle);
  library lib(path);
  EXPECT_EQ(lib.inspect(autoreload::this_machine).is, verdict::sound) << said(lib.inspect(autoreload::this_machine));
  const std::vector<std::string> names = lib.names();
  EXPECT_NE(std::find(names.begin(), names.end(), "value"), names.end());
  EXPECT_EQ(std::find(names.begin(), names.end(), "__start_set"), names.end()) << "dlsym does not answer it";
}

const auto odd_name = [](const auto& info) { return std::string(info.param.name); };
INSTANTIATE_TEST_SUITE_P(builds, odd, testing::ValuesIn(odd_builds), odd_name);

// ---- zeros in code: work that is not done, or a table that somebody put there -----------------------------------

class zeros_in_code : public asked_for_trouble {
 protected:
#if defined(__x86_64__)
  static constexpr const char* table =
      "int value(void) { int r; __asm__(\"jmp 1f\\n.balign 8\\n.quad 0,0\\n1: mov $4, %0\" : \"=r\"(r)); return r; }";
#else
  static constexpr const char* table =
      "int value(void) { int r; __asm__(\"b 1f\\n.balign 8\\n.quad 0,0\\n1: mov %w0, #4\" : \"=r\"(r)); return r; }";
#endif
};

TEST_F(zeros_in_code, are_waited_for_as_long_as_somebody_may_be_writing_them) {
  for (const char* const flags : {"", "-fno-asynchronous-unwind-tables"}) {
    const inspection young = build(table, flags);
    EXPECT_EQ(young.is, verdict::incomplete) << flags;
    EXPECT_TRUE(young.may_be_meant) << said(young);
    const inspection old = library(path_).inspect(autoreload::this_machine, writing::is_over);
    EXPECT_EQ(old.is, verdict::sound) << flags << said(old);
  }
}

TEST_F(zeros_in_code, are_meant_when_a_digest_agrees) {
  ASSERT_EQ(build(table, "").is, verdict::incomplete);
  library lib(path_);
  const inspection old = lib.inspect(autoreload::this_machine, writing::is_over);
  lib.bytes += autoreload::digest_line(std::as_bytes(std::span(lib.bytes)), old.facts.segments);
  EXPECT_EQ(lib.inspect(autoreload::this_machine).is, verdict::sound) << said(lib.inspect(autoreload::this_machine));
  ++lib.bytes[lib.offset_of(lib.symbol("value").st_value)];
  EXPECT_EQ(lib.inspect(autoreload::this_machine).is, verdict::incomplete);
}

TEST_F(zeros_in_code, are_never_believed_where_a_function_begins_or_by_the_page) {
  const inspection begins = [&] {
    EXPECT_EQ(build(source_, "").is, verdict::sound);
    library lib(path_);
    lib.zero(lib.symbol("value").st_value, 4);
    return lib.inspect(autoreload::this_machine, writing::is_over);
  }();
  EXPECT_EQ(begins.is, verdict::incomplete) << said(begins);
  EXPECT_FALSE(begins.may_be_meant);
  (void)build("int value(void) { __asm__ volatile(\"nop\\nnop\\nnop\\nnop\\n.skip 8200, 0\"); return 4; }", "");
  const inspection page = library(path_).inspect(autoreload::this_machine, writing::is_over);
  EXPECT_EQ(page.is, verdict::incomplete);
  EXPECT_NE(page.reason.find("a whole page"), std::string::npos) << said(page);
  EXPECT_NE(page.advice.find(".rodata"), std::string::npos) << said(page);
}

TEST_F(zeros_in_code, and_a_build_id_of_zeros_are_the_same_case) {
  EXPECT_EQ(build(source_, "-Wl,--build-id=0x00000000").is, verdict::incomplete);
  EXPECT_EQ(library(path_).inspect(autoreload::this_machine, writing::is_over).is, verdict::sound);
}

TEST(GnuHash, CountsEightLettersAtATimeAsItCountsOne) {
  std::string table;
  std::vector<std::size_t> names;
  for (std::size_t length = 0; length != 40; ++length) {
    for (const int first : {0x01, 0x61, 0x7f, 0x80, 0xff}) {
      names.push_back(table.size());
      for (std::size_t i = 0; i != length; ++i)
        table += static_cast<char>(first ^ (i % 3 == 2 ? static_cast<int>(i) : 0));
      while (!table.empty() && table.size() > names.back() && table.back() == '\0') table.pop_back();
      table += '\0';
    }
  }
  ASSERT_EQ(autoreload::gnu_hash("printf"), 0x156b2bb8U);  // the example of the format's description
  for (const std::size_t at : names) {
    const char* const name = table.data() + at;
    EXPECT_EQ(autoreload::gnu_hash(name, table.data() + table.size()), autoreload::gnu_hash(name)) << name;
    EXPECT_EQ(autoreload::gnu_hash(name, name + std::strlen(name) + 1), autoreload::gnu_hash(name)) << name;
  }
}

}  // namespace
