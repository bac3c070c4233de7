// SPDX-License-Identifier: MIT
// inspect_dynamic: the passes over the dynamic section, which tells the loader where everything else is.
#include <algorithm>

#include "reload/inspect/passes.hpp"

namespace autoreload::inspecting {
namespace {

// The loader asserts some of these, which ends the process, and believes the others.
struct together {
  std::int64_t tag;
  const char* name;
  std::int64_t with;
  const char* with_name;
};
constexpr together pairs[] = {
    {DT_RELA, "DT_RELA", DT_RELASZ, "DT_RELASZ"},
    {DT_RELA, "DT_RELA", DT_RELAENT, "DT_RELAENT"},
    {DT_RELASZ, "DT_RELASZ", DT_RELA, "DT_RELA"},
    {DT_RELAENT, "DT_RELAENT", DT_RELA, "DT_RELA"},
    {DT_RELACOUNT, "DT_RELACOUNT", DT_RELA, "DT_RELA"},
    {DT_JMPREL, "DT_JMPREL", DT_PLTRELSZ, "DT_PLTRELSZ"},
    {DT_JMPREL, "DT_JMPREL", DT_PLTREL, "DT_PLTREL"},
    {DT_JMPREL, "DT_JMPREL", DT_PLTGOT, "DT_PLTGOT"},
    {DT_PLTRELSZ, "DT_PLTRELSZ", DT_JMPREL, "DT_JMPREL"},
    {DT_PLTREL, "DT_PLTREL", DT_JMPREL, "DT_JMPREL"},
    {DT_RELR, "DT_RELR", DT_RELRSZ, "DT_RELRSZ"},
    {DT_RELR, "DT_RELR", DT_RELRENT, "DT_RELRENT"},
    {DT_RELRSZ, "DT_RELRSZ", DT_RELR, "DT_RELR"},
    {DT_RELRENT, "DT_RELRENT", DT_RELR, "DT_RELR"},
    {DT_INIT_ARRAY, "DT_INIT_ARRAY", DT_INIT_ARRAYSZ, "DT_INIT_ARRAYSZ"},
    {DT_INIT_ARRAYSZ, "DT_INIT_ARRAYSZ", DT_INIT_ARRAY, "DT_INIT_ARRAY"},
    {DT_FINI_ARRAY, "DT_FINI_ARRAY", DT_FINI_ARRAYSZ, "DT_FINI_ARRAYSZ"},
    {DT_FINI_ARRAYSZ, "DT_FINI_ARRAYSZ", DT_FINI_ARRAY, "DT_FINI_ARRAY"},
    {DT_VERNEED, "DT_VERNEED", DT_VERNEEDNUM, "DT_VERNEEDNUM"},
    {DT_VERNEEDNUM, "DT_VERNEEDNUM", DT_VERNEED, "DT_VERNEED"},
    {DT_VERNEED, "DT_VERNEED", DT_VERSYM, "DT_VERSYM"},
    {DT_VERDEF, "DT_VERDEF", DT_VERDEFNUM, "DT_VERDEFNUM"},
    {DT_VERDEFNUM, "DT_VERDEFNUM", DT_VERDEF, "DT_VERDEF"},
    {DT_VERDEF, "DT_VERDEF", DT_VERSYM, "DT_VERSYM"},
};

// Entries of a fixed size: the loader asserts the first three sizes and divides by the rest in its head.
struct sized {
  std::int64_t tag;
  const char* name;
  std::uint64_t must_be;
};
constexpr sized record_sizes[] = {{DT_SYMENT, "DT_SYMENT", sizeof(Elf64_Sym)},
                                  {DT_RELAENT, "DT_RELAENT", sizeof(Elf64_Rela)},
                                  {DT_RELRENT, "DT_RELRENT", sizeof(Elf64_Relr)},
                                  {DT_PLTREL, "DT_PLTREL", DT_RELA}};
constexpr sized table_sizes[] = {{DT_RELASZ, "DT_RELASZ", sizeof(Elf64_Rela)},
                                 {DT_PLTRELSZ, "DT_PLTRELSZ", sizeof(Elf64_Rela)},
                                 {DT_RELRSZ, "DT_RELRSZ", sizeof(Elf64_Relr)},
                                 {DT_INIT_ARRAYSZ, "DT_INIT_ARRAYSZ", sizeof(Elf64_Addr)},
                                 {DT_FINI_ARRAYSZ, "DT_FINI_ARRAYSZ", sizeof(Elf64_Addr)}};

constexpr std::int64_t read_by_the_loader[] = {DT_STRTAB,  DT_SYMTAB, DT_HASH, DT_GNU_HASH, DT_VERSYM,
                                               DT_VERNEED, DT_VERDEF, DT_RELA, DT_JMPREL,   DT_RELR};

void split_at_colons(std::string_view list, std::vector<std::string>& into) {
  while (!list.empty()) {
    const std::size_t end = std::min(list.find(':'), list.size());
    if (end != 0) into.emplace_back(list.substr(0, end));
    list.remove_prefix(std::min(end + 1, list.size()));
  }
}

}  // namespace

outcome dynamic_section_is_whole(image& lib) {
  const Elf64_Phdr& segment = *lib.dynamic_segment;
  const auto entries = lib.table_at<Elf64_Dyn>(segment.p_vaddr, segment.p_filesz / sizeof(Elf64_Dyn));
  if (!entries || entries->empty()) return damaged("the dynamic section has no entry");
  std::size_t count = 0;
  for (const Elf64_Dyn entry : *entries) {
    if (entry.d_tag == DT_NULL) break;
    ++count;
    if (!dynamic_entries::knows(entry.d_tag) || entry.d_tag == DT_NEEDED) continue;
    if (lib.dynamic.has(entry.d_tag)) {
      return damaged("the dynamic section has two entries with the tag " +
                     hex(static_cast<std::uint64_t>(entry.d_tag)));
    }
    lib.dynamic.set(entry.d_tag, entry.d_un.d_val);
  }
  if (count == 0) {
    if (all_zero(*lib.span_at(segment.p_vaddr, segment.p_filesz))) {
      return unfinished("the dynamic section at byte " + grouped(segment.p_offset) + " is still zeros");
    }
    return damaged("the dynamic section's first entry is its end");
  }
  if (count == entries->size()) return damaged("the dynamic section does not end");
  lib.entries = *lib.table_at<Elf64_Dyn>(segment.p_vaddr, count);
  return passed;
}

outcome may_be_loaded(image& lib) {
  const dynamic_entries& dynamic = lib.dynamic;
  const std::uint64_t flags = dynamic[DT_FLAGS];
  const std::uint64_t more_flags = dynamic[DT_FLAGS_1];
  // A library may carry an interpreter's name, to be run as well (libc does); DT_DEBUG is for programs alone.
  bool interpreter = false;
  for (const Elf64_Phdr segment : lib.programs) interpreter |= segment.p_type == PT_INTERP;
  if ((more_flags & DF_1_PIE) != 0 || (interpreter && dynamic.has(DT_DEBUG))) {
    return wrong("this is a program (a position-independent executable), not a shared library",
                 "link it with -shared, not -pie");
  }
  if ((more_flags & DF_1_NOOPEN) != 0) {
    return wrong("it is marked as not to be loaded by dlopen", "link it without -Wl,-z,nodlopen");
  }
  if (dynamic.has(DT_TEXTREL) || (flags & DF_TEXTREL) != 0) {
    return wrong("its code must be changed while it is loaded (text relocations)",
                 "compile all of it with -fPIC, and link it with -Wl,-z,text to see which part is not");
  }
  if (dynamic.has(DT_REL)) {
    return wrong(
        "it has relocations of the kind without addends (DT_REL), which the loader of this machine does not read",
        "link it without -Wl,-z,rel");
  }
  for (const Elf64_Dyn entry : lib.entries) {
    if (entry.d_tag != DT_ANDROID_RELA && entry.d_tag != DT_ANDROID_RELR) continue;
    return wrong("its relocations are packed for Android's loader",
                 "link it without -Wl,--pack-dyn-relocs=android and -Wl,--use-android-relr-tags");
  }
  lib.answer.facts.no_delete = (more_flags & DF_1_NODELETE) != 0;
  lib.answer.facts.static_tls = (flags & DF_STATIC_TLS) != 0;
  return passed;
}

outcome dynamic_entries_belong_together(image& lib) {
  const dynamic_entries& dynamic = lib.dynamic;
  for (const std::int64_t tag : {DT_STRTAB, DT_STRSZ, DT_SYMTAB, DT_SYMENT}) {
    if (!dynamic.has(tag))
      return damaged("the dynamic section lacks the entry with the tag " + grouped(static_cast<std::uint64_t>(tag)));
  }
  // Code may be there to be executed alone, but the loader reads these.
  for (const std::int64_t tag : read_by_the_loader) {
    const load_segment* const load = dynamic.has(tag) ? lib.holding(dynamic[tag], 0) : nullptr;
    if (load != nullptr && (load->flags & PF_R) == 0) {
      return damaged("the table at " + hex(dynamic[tag]) + " is in a segment that can't be read");
    }
  }
  for (const together& pair : pairs) {
    if (dynamic.has(pair.tag) && !dynamic.has(pair.with)) {
      return damaged(std::string("the dynamic section has ") + pair.name + " but lacks " + pair.with_name);
    }
  }
  for (const sized& record : record_sizes) {
    if (dynamic.has(record.tag) && dynamic[record.tag] != record.must_be) {
      return damaged(std::string(record.name) + " is " + grouped(dynamic[record.tag]) + ", not " +
                     grouped(record.must_be));
    }
  }
  for (const sized& table : table_sizes) {
    // A linker leaves the entries of an empty table out.
    if (dynamic.has(table.tag) && (dynamic[table.tag] == 0 || dynamic[table.tag] % table.must_be != 0)) {
      return damaged(std::string(table.name) + " is " + grouped(dynamic[table.tag]) + ", not a multiple of " +
                     grouped(table.must_be));
    }
  }
  return passed;
}

outcome dynamic_strings_are_whole(image& lib) {
  const std::uint64_t start = lib.dynamic[DT_STRTAB], size = lib.dynamic[DT_STRSZ];
  auto bytes = lib.span_at(start, size);
  if (!bytes || bytes->empty()) {
    return damaged("the string table, " + grouped(size) + " bytes at " + hex(start) + ", is not in a segment");
  }
  // patchelf can leave the last string's end just outside; the loader reads on until it finds one.
  if (const auto longer = lib.span_at(start, size + 1); bytes->back() != std::byte{0} && longer) bytes = longer;
  if (bytes->front() != std::byte{0} || bytes->back() != std::byte{0}) {
    return damaged("the string table does not begin and end with a zero byte");
  }
  lib.strings = string_table(*bytes);
  if (bytes->size() > 1 && all_zero(*bytes)) return unfinished("the string table is still zeros");

  elf_facts& facts = lib.answer.facts;
  for (const Elf64_Dyn entry : lib.entries) {
    switch (entry.d_tag) {
      case DT_NEEDED:
      case DT_SONAME:
      case DT_RPATH:
      case DT_RUNPATH:
      case DT_AUXILIARY:
      case DT_FILTER: {
        const char* const text = lib.strings.at(entry.d_un.d_val);
        if (text == nullptr) {
          return damaged("a name in the dynamic section is at byte " + grouped(entry.d_un.d_val) +
                         " of a string table of " + grouped(lib.strings.size()));
        }
        if (entry.d_tag == DT_NEEDED && *text == '\0') return damaged("the name of a needed library is empty");
        if (entry.d_tag == DT_NEEDED) facts.needed.emplace_back(text);
        // Nothing but its runtime is in a library that gcc builds for this one.
        if (entry.d_tag == DT_NEEDED && facts.needed.back().starts_with("liblsan.so")) facts.sanitizer = "leak";
        if (entry.d_tag == DT_SONAME) facts.soname = text;
        if (entry.d_tag == DT_RUNPATH || (entry.d_tag == DT_RPATH && !lib.dynamic.has(DT_RUNPATH))) {
          split_at_colons(text, facts.run_path);
        }
        break;
      }
      default: break;
    }
  }
  return passed;
}

outcome sections_agree_with_dynamic(image& lib) {
  // The section table says the same things again. A damaged entry of the dynamic section is seen when they differ.
  const dynamic_entries& dynamic = lib.dynamic;
  std::uint64_t relocation_bytes = 0;
  bool relocation_sections = false;
  for (std::size_t i = 0; i != lib.sections.size(); ++i) {
    const Elf64_Shdr section = lib.sections[i];
    if ((section.sh_flags & SHF_ALLOC) == 0) continue;
    std::int64_t where = 0, size = 0;
    switch (section.sh_type) {
      case SHT_DYNSYM: where = DT_SYMTAB; break;
      case SHT_HASH: where = DT_HASH; break;
      case SHT_GNU_HASH: where = DT_GNU_HASH; break;
      case SHT_GNU_versym: where = DT_VERSYM; break;
      case SHT_GNU_verneed: where = DT_VERNEED; break;
      case SHT_GNU_verdef: where = DT_VERDEF; break;
      case SHT_INIT_ARRAY: where = DT_INIT_ARRAY, size = DT_INIT_ARRAYSZ; break;
      case SHT_FINI_ARRAY: where = DT_FINI_ARRAY, size = DT_FINI_ARRAYSZ; break;
      case SHT_RELR: where = DT_RELR, size = DT_RELRSZ; break;
      case SHT_RELA:
        relocation_sections = true;
        relocation_bytes += section.sh_size;
        continue;
      case SHT_DYNAMIC:
        if (section.sh_addr != lib.dynamic_segment->p_vaddr) {
          return damaged("the dynamic section is at " + hex(section.sh_addr) + " by the section table, but at " +
                         hex(lib.dynamic_segment->p_vaddr) + " by the program headers");
        }
        continue;
      default: continue;
    }
    if (section.sh_size == 0) continue;
    if (!dynamic.has(where) || dynamic[where] != section.sh_addr || (size != 0 && dynamic[size] != section.sh_size)) {
      return damaged("section " + grouped(i) + ", " + grouped(section.sh_size) + " bytes at " + hex(section.sh_addr) +
                     ", is not where the dynamic section says");
    }
  }
  // DT_RELASZ may or may not include the bytes of DT_PLTRELSZ.
  const std::uint64_t rela = dynamic[DT_RELASZ], plt = dynamic[DT_PLTRELSZ];
  if (relocation_sections && relocation_bytes != rela && relocation_bytes != rela + plt) {
    return damaged("the section table has " + grouped(relocation_bytes) +
                   " bytes of relocations, the dynamic section " + grouped(rela) + " and " + grouped(plt));
  }
  return passed;
}

}  // namespace autoreload::inspecting
