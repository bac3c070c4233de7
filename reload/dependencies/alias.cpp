// SPDX-License-Identifier: MIT
// alias: counts names up, and writes them into copies.
//
// SHARED  the counter of aliases, which is atomic and only has to be different each time. 36^4 aliases of one name come
//         before one comes again.
#include "reload/dependencies/alias.hpp"

#include <algorithm>
#include <atomic>
#include <string_view>
#include <vector>

#include "elf/dynamic_section.hpp"

namespace autoreload {

namespace {

// Where in the string table the loader reads libraries' names: DT_SONAME, DT_NEEDED, and the lists of versions.
std::vector<std::uint64_t> names_of_libraries(const elf_view& file, const dynamic_section& dynamic) {
  std::vector<std::uint64_t> places;
  for (const Elf64_Dyn entry : dynamic.entries) {
    if (entry.d_tag == DT_SONAME || entry.d_tag == DT_NEEDED) places.push_back(entry.d_un.d_val);
  }
  std::uint64_t at = dynamic.needed_versions;
  for (std::uint64_t left = dynamic.needed_versions_count; left != 0; --left) {
    const auto need = file.record_at<Elf64_Verneed>(at);
    if (!need) break;
    places.push_back(need->vn_file);
    at += need->vn_next;
  }
  return places;
}

}  // namespace

std::string alias_for(const std::string& name) {
  static std::atomic<unsigned> count{0};
  constexpr char digits[] = "0123456789abcdefghijklmnopqrstuvwxyz";
  std::string alias = name;
  alias[0] = '~';
  unsigned number = count.fetch_add(1, std::memory_order_relaxed);
  for (std::size_t i = alias_tag_length - 1; i > 0; --i, number /= 36) alias[i] = digits[number % 36];
  return alias;
}

std::string give_alias(snapshot& image, std::span<const std::byte> bytes, const elf_facts& facts) {
  if (facts.soname.size() <= alias_tag_length) return {};
  std::string alias = alias_for(facts.soname);
  return rename_in(image, bytes, facts, facts.soname, alias) ? alias : std::string();
}

bool rename_in(snapshot& image, std::span<const std::byte> bytes, const elf_facts& facts, const std::string& name,
               const std::string& alias) {
  const elf_view file{bytes, facts.segments, 0};
  const dynamic_section dynamic = dynamic_section_of(file);
  const std::byte* const strings = file.bytes(dynamic.strings, dynamic.strings_size);
  if (strings == nullptr) return false;
  const std::string_view table(reinterpret_cast<const char*>(strings), dynamic.strings_size);
  std::vector<std::uint64_t> places;
  for (const std::uint64_t at : names_of_libraries(file, dynamic)) {
    if (at >= table.size() || table.substr(at, name.size() + 1) != std::string_view(name.c_str(), name.size() + 1)) {
      continue;
    }
    if (at == 0 || table[at - 1] != '\0') return false;  // the end of another string
    if (std::find(places.begin(), places.end(), at) == places.end()) places.push_back(at);
  }
  const auto offset = static_cast<std::uint64_t>(strings - bytes.data());
  return !places.empty() && std::all_of(places.begin(), places.end(),
                                        [&](std::uint64_t at) { return image.patch(offset + at, name, alias); });
}

}  // namespace autoreload
