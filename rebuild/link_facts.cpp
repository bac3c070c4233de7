// SPDX-License-Identifier: MIT
// link_facts: reads the dynamic section and the notes that linkers leave.
#include "rebuild/link_facts.hpp"

#include <algorithm>
#include <cstdint>
#include <string_view>

namespace autoreload::building {
namespace {

std::string linker_option(debug_file& of) {
  const file_bytes comment = of.section(".comment");
  const std::string_view words(reinterpret_cast<const char*>(comment.data()), comment.size());
  Elf64_Shdr ignored;
  if (words.find("mold ") != std::string_view::npos) return "-fuse-ld=mold";
  if (words.find("LLD ") != std::string_view::npos) return "-fuse-ld=lld";
  if (of.sections().find(".note.gnu.gold-version", ignored)) return "-fuse-ld=gold";
  return {};
}

// What a program sees of a section: where it is, and what is in it.
bool same_section(const elf_sections& files_a, const Elf64_Shdr& a, const elf_sections& files_b, const Elf64_Shdr& b) {
  if (a.sh_type != b.sh_type || a.sh_addr != b.sh_addr || a.sh_size != b.sh_size) return false;
  const file_bytes in_a = files_a.content(a);
  const file_bytes in_b = files_b.content(b);
  return std::equal(in_a.begin(), in_a.end(), in_b.begin(), in_b.end());
}

}  // namespace

std::vector<std::string> link_options(debug_file& of) {
  const file_bytes entries = of.section(".dynamic");
  const file_bytes texts = of.section(".dynstr");
  std::vector<std::string> options{"-shared"};
  std::vector<std::string> libraries;
  if (std::string linker = linker_option(of); !linker.empty()) options.push_back(std::move(linker));
  Elf64_Dyn entry;
  for (std::uint64_t i = 0; read_record(entries, i, entry) && entry.d_tag != DT_NULL; ++i) {
    const std::string text(string_at(texts, entry.d_un.d_val));
    switch (entry.d_tag) {
      case DT_SONAME: options.push_back("-Wl,-soname," + text); break;
      case DT_RPATH: options.push_back("-Wl,--disable-new-dtags,-rpath," + text); break;
      case DT_RUNPATH: options.push_back("-Wl,--enable-new-dtags,-rpath," + text); break;
      case DT_SYMBOLIC: options.emplace_back("-Wl,-Bsymbolic"); break;
      case DT_FLAGS:
        if ((entry.d_un.d_val & DF_BIND_NOW) != 0) options.emplace_back("-Wl,-z,now");
        if ((entry.d_un.d_val & DF_SYMBOLIC) != 0) options.emplace_back("-Wl,-Bsymbolic");
        break;
      case DT_NEEDED:
        if (text.starts_with("libc.")) {
          break;  // comes by itself
        }
        libraries.push_back("-l:" + text);
        break;
      default: break;
    }
  }
  Elf64_Shdr ignored;
  if (!of.sections().find(".init", ignored)) options.emplace_back("-nostdlib");  // of crti.o
  options.insert(options.end(), libraries.begin(), libraries.end());
  return options;
}

std::string first_difference(debug_file& a, debug_file& b) {
  const auto loaded = [](debug_file& of) {
    std::vector<Elf64_Shdr> found;
    Elf64_Shdr one;
    for (std::uint64_t i = 1; of.sections().at(i, one); ++i) {
      if ((one.sh_flags & SHF_ALLOC) != 0 && of.sections().name_of(one) != ".note.gnu.build-id") found.push_back(one);
    }
    return found;
  };
  const std::vector<Elf64_Shdr> in_a = loaded(a);
  const std::vector<Elf64_Shdr> in_b = loaded(b);
  for (std::size_t i = 0; i < std::max(in_a.size(), in_b.size()); ++i) {
    if (i >= in_a.size()) return std::string(b.sections().name_of(in_b[i]));
    std::string name(a.sections().name_of(in_a[i]));
    if (i >= in_b.size() || b.sections().name_of(in_b[i]) != name) return name;
    if (!same_section(a.sections(), in_a[i], b.sections(), in_b[i])) return name;
  }
  return in_a.empty() ? "table of sections" : "";
}

}  // namespace autoreload::building
