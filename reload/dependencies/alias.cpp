// SPDX-License-Identifier: MIT
// alias: counts names up, and writes them into copies.
//
// SHARED  the counter of aliases, which is atomic and only has to be different each time. 36^4 aliases of one name come
//         before one comes again.
#include "reload/dependencies/alias.hpp"

#include <atomic>
#include <string_view>

#include "elf/dynamic_section.hpp"

namespace autoreload {

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
  const auto offset = static_cast<std::uint64_t>(strings - bytes.data());
  const std::string whole = '\0' + name + '\0';
  bool found = false;
  for (std::size_t at = 0; (at = table.find(whole, at)) != std::string_view::npos; ++at) {
    found = image.patch(offset + at + 1, name, alias);
    if (!found) return false;
  }
  return found;
}

}  // namespace autoreload
