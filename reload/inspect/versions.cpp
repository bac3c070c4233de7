// SPDX-License-Identifier: MIT
// inspect_versions: the pass over the symbols' versions.
#include <algorithm>

#include "reload/inspect/passes.hpp"

namespace autoreload::inspecting {
namespace {

constexpr unsigned version_bits = 0x7fff;  // of a symbol's version; the highest hides it

}  // namespace

outcome versions_are_whole(image& lib) {
  if (!lib.dynamic.has(DT_VERSYM)) return passed;
  std::bitset<version_bits + 1> known;  // by index; the loader keeps an array of them and trusts each index
  known[VER_NDX_LOCAL] = known[VER_NDX_GLOBAL] = true;
  const elf_facts& facts = lib.answer.facts;
  const auto is_named = [&](std::uint64_t name, std::uint32_t hash) {
    const char* const text = lib.strings.at(name);
    return text != nullptr && sysv_hash(text) == hash;
  };
  // The loader ends its walks at a successor of 0, whatever the count says.
  std::uint64_t at = lib.dynamic[DT_VERNEED];
  for (std::uint64_t left = lib.dynamic[DT_VERNEEDNUM]; left != 0; --left) {
    const auto need = lib.record_at<Elf64_Verneed>(at);
    if (!need || need->vn_version != VER_NEED_CURRENT || (need->vn_next == 0) != (left == 1)) {
      return damaged("the list of needed versions does not end where it should");
    }
    const char* const file = lib.strings.at(need->vn_file);
    // Asserted by the loader: it looks among the libraries that it has loaded for this one.
    if (file == nullptr || std::find(facts.needed.begin(), facts.needed.end(), file) == facts.needed.end()) {
      return damaged("it needs versions of a library that it does not need");
    }
    std::uint64_t entry_at = at + need->vn_aux;
    for (unsigned entries = need->vn_cnt; entries != 0; --entries) {
      const auto entry = lib.record_at<Elf64_Vernaux>(entry_at);
      if (!entry || (entry->vna_next == 0) != (entries == 1) || !is_named(entry->vna_name, entry->vna_hash)) {
        return damaged("a version that it needs of \"" + std::string(file) + "\" has no valid name");
      }
      known[entry->vna_other & version_bits] = true;
      entry_at += entry->vna_next;
    }
    at += need->vn_next;
  }
  at = lib.dynamic[DT_VERDEF];
  for (std::uint64_t left = lib.dynamic[DT_VERDEFNUM]; left != 0; --left) {
    const auto definition = lib.record_at<Elf64_Verdef>(at);
    if (!definition || definition->vd_version != VER_DEF_CURRENT || (definition->vd_next == 0) != (left == 1)) {
      return damaged("the list of its own versions does not end where it should");
    }
    const auto entry = lib.record_at<Elf64_Verdaux>(at + definition->vd_aux);
    if (!entry || !is_named(entry->vda_name, definition->vd_hash)) {
      return damaged("a version of its own has no valid name");
    }
    known[definition->vd_ndx & version_bits] = true;
    at += definition->vd_next;
  }

  const auto versions = lib.table_at<std::uint16_t>(lib.dynamic[DT_VERSYM], lib.symbols.size());
  if (!versions) return damaged("the symbols' versions at " + hex(lib.dynamic[DT_VERSYM]) + " are not in a segment");
  const bool zeros = std::all_of(versions->begin(), versions->end(), [](std::uint16_t one) { return one == 0; });
  if (lib.dynamic[DT_VERNEEDNUM] == 0 && lib.dynamic[DT_VERDEFNUM] == 0) {
    // The loader indexes an array that it never made. tcc writes such a table, all zeros: those it doesn't look up.
    if (zeros) return passed;
    return damaged("its symbols have versions, but no version is there");
  }
  if (zeros) {
    if (auto no = perhaps_unfinished(lib, "the symbols' versions are still zeros")) return no;
  }
  for (std::size_t i = 0; i != versions->size(); ++i) {
    const unsigned index = (*versions)[i] & version_bits;
    if (!known[index]) {
      return damaged("symbol " + grouped(i) + " has version " + grouped(index) + ", which is not there");
    }
  }
  return passed;
}

}  // namespace autoreload::inspecting
