// SPDX-License-Identifier: MIT
// elf_glance: reads headers and two tables with pread, each with a bound, and believes no offset.
#include "types/elf_glance.hpp"

#include <elf.h>
#include <link.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "elf/sections.hpp"
#include "system/hexadecimal.hpp"

namespace autoreload::types {

namespace {

constexpr std::size_t most_sections = 1U << 16;
constexpr std::size_t largest_table = 64U << 20;  // bytes: symbols or their names
constexpr std::size_t largest_note = 256;
constexpr std::string_view debug_info = ".debug_info";
constexpr std::string_view old_compressed_debug_info = ".zdebug_info";

// Exactly `size` bytes, or none.
std::vector<char> read_at(int file, std::uint64_t offset, std::uint64_t size) {
  std::vector<char> bytes(size);
  std::size_t done = 0;
  while (done < size) {
    const ssize_t got = pread(file, bytes.data() + done, size - done, static_cast<off_t>(offset + done));
    if (got <= 0) return {};
    done += static_cast<std::size_t>(got);
  }
  return bytes;
}

template <class T>
std::vector<T> read_table(int file, std::uint64_t offset, std::size_t count) {
  std::vector<T> table(count);
  const std::vector<char> bytes = read_at(file, offset, count * sizeof(T));
  if (bytes.size() != count * sizeof(T) || bytes.empty()) return {};
  std::memcpy(table.data(), bytes.data(), bytes.size());
  return table;
}

struct sections {
  std::vector<ElfW(Shdr)> headers;
  std::vector<char> names;

  std::string_view name(const ElfW(Shdr) & of) const { return string_at(std::as_bytes(std::span(names)), of.sh_name); }
};

std::optional<sections> read_sections(int file) {
  const std::vector<ElfW(Ehdr)> found = read_table<ElfW(Ehdr)>(file, 0, 1);
  if (found.empty()) return std::nullopt;
  const ElfW(Ehdr)& header = found.front();
  constexpr unsigned char own_class = sizeof(void*) == 8 ? ELFCLASS64 : ELFCLASS32;
  if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_ident[EI_CLASS] != own_class) return std::nullopt;
  sections all;
  if (header.e_shoff == 0 || header.e_shentsize != sizeof(ElfW(Shdr))) return all;  // stripped of its section headers
  std::size_t count = header.e_shnum;
  std::size_t names = header.e_shstrndx;
  if (count == 0 || names == SHN_XINDEX) {  // too many for the header: the first section has the numbers
    const auto first = read_table<ElfW(Shdr)>(file, header.e_shoff, 1);
    if (first.empty()) return all;
    if (count == 0) count = first.front().sh_size;
    if (names == SHN_XINDEX) names = first.front().sh_link;
  }
  all.headers = read_table<ElfW(Shdr)>(file, header.e_shoff, std::min(count, most_sections));
  if (names >= all.headers.size() || all.headers[names].sh_size > largest_table) return all;
  all.names = read_at(file, all.headers[names].sh_offset, all.headers[names].sh_size);
  return all;
}

std::vector<std::byte> build_id_in(const std::vector<char>& note) {
  ElfW(Nhdr) header;
  if (note.size() < sizeof header) return {};
  std::memcpy(&header, note.data(), sizeof header);
  constexpr std::size_t name = sizeof header;
  constexpr std::size_t start = name + 4;
  if (header.n_type != NT_GNU_BUILD_ID || header.n_namesz != 4 || note.size() < start) return {};
  if (std::memcmp(note.data() + name, "GNU", 4) != 0 || header.n_descsz > note.size() - start) return {};
  const auto* const begin = reinterpret_cast<const std::byte*>(note.data() + start);
  return {begin, begin + header.n_descsz};
}

}  // namespace

std::optional<debug_links> find_debug_links(int file) {
  const std::optional<sections> all = read_sections(file);
  if (!all) return std::nullopt;
  debug_links found;
  for (const ElfW(Shdr) & section : all->headers) {
    const std::string_view name = all->name(section);
    if ((name == debug_info || name == old_compressed_debug_info) && section.sh_type != SHT_NOBITS) {
      found.inside = section.sh_size != 0;
    } else if (name == ".gnu_debuglink" && section.sh_size <= largest_note) {
      const std::vector<char> text = read_at(file, section.sh_offset, section.sh_size);
      found.link.assign(text.data(), strnlen(text.data(), text.size()));
    } else if (name == ".note.gnu.build-id" && section.sh_size <= largest_note) {
      found.build_id = build_id_in(read_at(file, section.sh_offset, section.sh_size));
    }
  }
  return found;
}

std::vector<exported_symbol> find_exported(int file, std::span<const std::string_view> wanted) {
  const std::optional<sections> all = read_sections(file);
  if (!all) return {};
  const auto table = std::ranges::find(all->headers, static_cast<unsigned>(SHT_DYNSYM), &ElfW(Shdr)::sh_type);
  if (table == all->headers.end() || table->sh_link >= all->headers.size()) return {};
  const ElfW(Shdr)& strings = all->headers[table->sh_link];
  if (table->sh_size > largest_table || strings.sh_size > largest_table) return {};
  const auto symbols = read_table<ElfW(Sym)>(file, table->sh_offset, table->sh_size / sizeof(ElfW(Sym)));
  const std::vector<char> names = read_at(file, strings.sh_offset, strings.sh_size);
  std::vector<exported_symbol> found;
  for (const ElfW(Sym) & s : symbols) {
    if (s.st_shndx == SHN_UNDEF) continue;
    const std::string_view name = string_at(std::as_bytes(std::span(names)), s.st_name);
    if (std::ranges::find(wanted, name) == wanted.end()) continue;
    found.push_back({std::string(name), s.st_size, static_cast<unsigned char>(ELF64_ST_TYPE(s.st_info))});
  }
  return found;
}

std::vector<std::string> separate_debug_files(const debug_links& of, std::string_view path,
                                              std::span<const std::string> roots) {
  std::vector<std::string> list;
  if (of.build_id.size() > 1) {
    const std::string hex = hexadecimal(of.build_id);
    for (const std::string& root : roots) {
      list.push_back(root + "/.build-id/" + hex.substr(0, 2) + "/" + hex.substr(2) + ".debug");
    }
  }
  if (!of.link.empty() && of.link.find('/') == std::string::npos) {
    const std::size_t slash = path.rfind('/');
    const std::string directory(slash == std::string_view::npos ? "." : path.substr(0, slash));
    list.push_back(directory + "/" + of.link);
    list.push_back(directory + "/.debug/" + of.link);
    for (const std::string& root : roots) list.push_back(root + "/" + directory + "/" + of.link);
  }
  return list;
}

}  // namespace autoreload::types
