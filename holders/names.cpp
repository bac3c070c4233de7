// SPDX-License-Identifier: MIT
// names: reads symbol tables, and asks the loader what it has mapped.
#include "holders/names.hpp"

#include <cxxabi.h>
#include <link.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <memory>

#include "system/hexadecimal.hpp"
#include "system/mapped_file.hpp"

namespace autoreload::holding {
namespace {

bool is_wanted(unsigned type, symbol_kind kind) {
  switch (kind) {
    case symbol_kind::function: return type == STT_FUNC || type == STT_GNU_IFUNC;
    case symbol_kind::variable: return type == STT_OBJECT;
    case symbol_kind::thread_local_variable: return type == STT_TLS;
  }
  return false;
}

struct place {
  std::string_view name;
  std::uint64_t offset = 0;
};

// The symbol that starts nearest and reaches the address. One without a size reaches to the next.
place find_in(const elf_sections& sections, std::string_view table, std::uint64_t address, symbol_kind kind) {
  Elf64_Shdr section;
  Elf64_Shdr strings;
  if (!sections.find(table, section) || !sections.at(section.sh_link, strings)) return {};
  const file_bytes symbols = sections.content(section);
  const file_bytes names = sections.content(strings);
  place best;
  std::uint64_t best_start = 0;
  Elf64_Sym symbol;
  for (std::uint64_t i = 1; read_record(symbols, i, symbol); ++i) {
    if (!is_wanted(ELF64_ST_TYPE(symbol.st_info), kind) || symbol.st_shndx == SHN_UNDEF) continue;
    if (symbol.st_value > address || (symbol.st_size != 0 && address - symbol.st_value >= symbol.st_size)) continue;
    if (!best.name.empty() && symbol.st_value <= best_start) continue;
    const std::string_view name = string_at(names, symbol.st_name);
    if (name.empty()) continue;
    best = {name, address - symbol.st_value};
    best_start = symbol.st_value;
  }
  return best;
}

std::string readable(std::string_view name) {
  std::string text(name);
  if (!text.starts_with("_Z")) return text;
  int status = 0;
  const std::unique_ptr<char, decltype(&std::free)> plain(abi::__cxa_demangle(text.c_str(), nullptr, nullptr, &status),
                                                          &std::free);
  return plain != nullptr && status == 0 ? plain.get() : text;
}

}  // namespace

std::string symbol_at(file_bytes file, std::uint64_t address, symbol_kind kind) {
  const elf_sections sections(file);
  place found = find_in(sections, ".symtab", address, kind);
  if (found.name.empty()) found = find_in(sections, ".dynsym", address, kind);
  if (found.name.empty()) return {};
  std::string words = readable(found.name);
  if (kind == symbol_kind::function && !words.ends_with(')')) words += "()";
  return found.offset == 0 ? words : words + "+" + hexadecimal(found.offset);
}

bool loaded_object::has(std::uintptr_t address) const noexcept {
  return std::any_of(parts.begin(), parts.end(),
                     [&](const memory_range& one) { return address >= one.begin && address < one.end; });
}

bool loaded_object::writes(std::uintptr_t address) const noexcept {
  return std::any_of(writable.begin(), writable.end(),
                     [&](const memory_range& one) { return address >= one.begin && address < one.end; });
}

std::vector<loaded_object> loaded_objects(std::uintptr_t bare) {
  struct listing {
    std::uintptr_t bare;
    std::vector<loaded_object> all;
  } list{bare, {}};
  const auto visit = [](dl_phdr_info* info, std::size_t size, void* into) -> int {
    auto& here = *static_cast<listing*>(into);
    loaded_object one;
    one.name = info->dlpi_name != nullptr ? info->dlpi_name : "";
    one.base = info->dlpi_addr;
    for (int i = 0; i < info->dlpi_phnum; ++i) {
      const ElfW(Phdr)& part = info->dlpi_phdr[i];
      if (part.p_type == PT_TLS) one.thread_size = part.p_memsz;
      if (part.p_type != PT_LOAD || one.base == here.bare) continue;
      const std::uintptr_t begin = info->dlpi_addr + part.p_vaddr;
      one.parts.push_back({begin, begin + part.p_memsz});
      if ((part.p_flags & PF_W) != 0) one.writable.push_back({begin, begin + part.p_memsz});
    }
    if (size >= offsetof(dl_phdr_info, dlpi_tls_data) + sizeof info->dlpi_tls_data) {
      one.thread_module = info->dlpi_tls_modid;
      one.thread_data = reinterpret_cast<std::uintptr_t>(info->dlpi_tls_data);
    }
    here.all.push_back(std::move(one));
    return 0;
  };
  dl_iterate_phdr(visit, &list);
  std::vector<loaded_object>& all = list.all;
  if (!all.empty() && all.front().name.empty()) {
    char path[4096];
    const ssize_t size = readlink("/proc/self/exe", path, sizeof path);
    if (size > 0) all.front().name.assign(path, static_cast<std::size_t>(size));
  }
  return std::move(all);
}

const loaded_object* find_object(const std::vector<loaded_object>& all, std::uintptr_t address) noexcept {
  const auto found = std::find_if(all.begin(), all.end(), [&](const loaded_object& one) { return one.has(address); });
  return found == all.end() ? nullptr : &*found;
}

std::string variable_in_words(const loaded_object& object, std::uintptr_t address) {
  const mapped_file file(object.name.c_str());
  const std::string symbol = symbol_at(file.bytes(), address - object.base, symbol_kind::variable);
  const std::string where = "\"" + object.name + "\"";
  return symbol.empty() ? "the data of " + where + " at " + hexadecimal(address - object.base)
                        : "variable " + symbol + " of " + where;
}

}  // namespace autoreload::holding
