// SPDX-License-Identifier: MIT
// inspect_passes: what the passes of inspect() share, and their list; private to reload/inspect/.
//
// Each pass relies on what the passes before it have proved, adds what it proves itself to the image, and answers
// nothing when all is well. The order is in inspect.cpp.
#pragma once

#include <array>
#include <bitset>
#include <memory>
#include <optional>
#include <string>

#include "elf/view.hpp"
#include "reload/inspect/inspect.hpp"

namespace autoreload::inspecting {

struct image;

/// Why a pass refuses.
struct refusal {
  verdict is;
  std::string reason;
  std::string advice;
  bool may_be_meant = false;  // not once the writing is over
};
using outcome = std::optional<refusal>;
inline constexpr std::nullopt_t passed = std::nullopt;

// What is said of a refused file is cold: the compiler keeps the code of the passes together without it, so that a
// sound one is looked at with fewer cache lines.

/// `what` is not all in the file yet: whoever writes it will go on.
[[nodiscard, gnu::cold]] refusal unfinished(std::string what);
/// The same, where it may also be what somebody meant: passed once the writing is over.
[[nodiscard, gnu::cold]] outcome perhaps_unfinished(const image& lib, std::string what);
/// Everything is in the file, yet no linker writes it so.
[[nodiscard, gnu::cold]] refusal damaged(std::string what);
/// A whole file that can't be loaded as it is.
[[nodiscard, gnu::cold]] refusal wrong(std::string what, std::string advice);

[[nodiscard, gnu::cold]] std::string grouped(std::uint64_t number);  ///< 92400 as "92,400"
[[nodiscard, gnu::cold]] std::string hex(std::uint64_t number);      ///< 0x168f0
[[nodiscard, gnu::cold]] std::string in_quotes(const char* name);    ///< "name", cut when it is long

/// The dynamic section's entries, by tag. The loader keeps the last of each; a linker writes each but DT_NEEDED once.
class dynamic_entries {
 public:
  [[nodiscard]] bool has(std::int64_t tag) const noexcept { return present_[slot(tag)]; }
  /// The entry's value; 0 when it is absent.
  [[nodiscard]] std::uint64_t operator[](std::int64_t tag) const noexcept { return values_[slot(tag)]; }
  [[nodiscard]] static bool knows(std::int64_t tag) noexcept { return slot(tag) != unknown; }
  void set(std::int64_t tag, std::uint64_t value) noexcept {
    values_[slot(tag)] = value;
    present_[slot(tag)] = true;
  }

 private:
  // glibc's <elf.h> ends the generic tags at DT_RELRENT; the GNU ones are numbered down from DT_VERNEEDNUM.
  static constexpr std::size_t generic = 38, unknown = 63;
  static std::size_t slot(std::int64_t tag) noexcept {
    if (tag > 0 && tag < static_cast<std::int64_t>(generic)) return static_cast<std::size_t>(tag);
    if (tag >= DT_VERSYM && tag <= DT_VERNEEDNUM) return generic + static_cast<std::size_t>(tag - DT_VERSYM);
    switch (tag) {
      case DT_GNU_HASH: return 54;
      case DT_AUXILIARY: return 55;
      case DT_FILTER: return 56;
      default: return unknown;
    }
  }

  std::array<std::uint64_t, 64> values_{};
  std::bitset<64> present_;
};

/// An entry of the unwind table, which lists every function that has a frame description, exported or not.
struct function_entry {
  std::int32_t function, description;  ///< relative to the table
};

/// [start, end) of one function's code.
struct code_range {
  std::uint64_t start, end;
};

/// Where the unwind table's functions are, so that the one around an address is found in a few steps: the code is cut
/// into equal pieces, and of each the last function is noted that starts at or before it.
class function_index {
 public:
  /// @param functions  in order of address
  /// @param base       what their addresses are relative to
  void make(const table<function_entry>& functions, std::uint64_t base) noexcept;
  /// Of the functions [first, last], the last that starts at or before the address is the last of all that does, if
  /// any does.
  struct range {
    std::size_t first, last;
  };
  [[nodiscard]] range around(std::uint64_t address, std::size_t functions) const noexcept {
    if (address < start_ || (address - start_) >> shift_ >= pieces_) return {0, functions - 1};
    const auto piece = static_cast<std::size_t>((address - start_) >> shift_);
    return {at_[piece], at_[piece + 1]};
  }

 private:
  static constexpr std::size_t most_pieces = 16384;
  std::unique_ptr<std::uint32_t[]> at_;  // null: a small library does without
  std::size_t pieces_ = 0;
  std::uint64_t start_ = UINT64_MAX;
  unsigned shift_ = 0;
};

/// The library, as far as the passes have understood it.
struct image : elf_view {
  image(std::span<const std::byte> whole, elf_machine wanted, writing known, inspection& filled)
      : elf_view{whole, {}, 0}, machine(wanted), state(known), answer(filled) {}

  elf_machine machine;
  writing state;
  inspection& answer;

  Elf64_Ehdr header{};
  table<Elf64_Phdr> programs;
  table<Elf64_Shdr> sections;  ///< empty when it was stripped away: the loader does without
  std::optional<Elf64_Phdr> dynamic_segment;
  std::optional<Elf64_Phdr> tls;
  std::optional<Elf64_Phdr> unwind_table;  ///< PT_GNU_EH_FRAME
  table<Elf64_Dyn> entries;                ///< of the dynamic section, without its end mark
  dynamic_entries dynamic;                 ///< the same by tag
  table<function_entry> functions;         ///< in order of address; empty when there is no unwind table
  std::uint64_t functions_base = 0;
  function_index function_places;
  address_window descriptions;  ///< where most functions' frame descriptions are; the rest is elsewhere in the file
  const std::byte* first_description = nullptr;  ///< of that window
  string_table strings;
  table<Elf64_Sym> symbols;      ///< all of the dynamic symbols; the first is a dummy
  std::size_t first_hashed = 0;  ///< symbols from here on can be found by name

  /// Whether the unwind table has a function of just this place and size, as far as a quick look tells.
  [[nodiscard]] bool describes(std::uint64_t start, std::uint64_t size) const noexcept;
  /// The described function that the address is in.
  [[nodiscard]] std::optional<code_range> function_around(std::uint64_t address) const;
  /// Whether [start, start + size) takes only a piece of a described function, other than its last piece.
  [[nodiscard]] bool cuts_a_function(std::uint64_t start, std::uint64_t size) const;
};

// headers.cpp
[[nodiscard]] outcome is_elf_for_this_machine(image& lib);
[[nodiscard]] outcome is_a_shared_library(image& lib);
[[nodiscard]] outcome header_tables_are_in_the_file(image& lib);
[[nodiscard]] outcome sections_are_in_the_file(image& lib);
[[nodiscard]] outcome segments_can_be_mapped(image& lib);
[[nodiscard]] outcome stack_stays_as_it_is(image& lib);
[[nodiscard]] outcome program_headers_agree(image& lib);
[[nodiscard]] outcome sections_agree_with_segments(image& lib);

// dynamic.cpp
[[nodiscard]] outcome dynamic_section_is_whole(image& lib);
[[nodiscard]] outcome may_be_loaded(image& lib);
[[nodiscard]] outcome dynamic_entries_belong_together(image& lib);
[[nodiscard]] outcome dynamic_strings_are_whole(image& lib);
[[nodiscard]] outcome sections_agree_with_dynamic(image& lib);

// hash_tables.cpp
[[nodiscard]] std::uint32_t sysv_hash(const char* name) noexcept;
[[nodiscard]] outcome hash_table_is_walkable(image& lib);
[[nodiscard]] outcome names_can_be_found(image& lib);

// symbols.cpp
[[nodiscard]] bool is_defined(const Elf64_Sym& symbol);
[[nodiscard]] bool is_exported(const Elf64_Sym& symbol);  ///< dlsym may answer it
[[nodiscard]] outcome symbols_are_inside(image& lib);

// versions.cpp
[[nodiscard]] outcome versions_are_whole(image& lib);

// relocations.cpp
[[nodiscard]] outcome relocations_are_sound(image& lib);

// inspect_digest.cpp, in digest/
[[nodiscard]] outcome digest_agrees(image& lib);

// code.cpp
[[nodiscard]] outcome notes_are_whole(image& lib);
[[nodiscard]] outcome unwind_table_is_whole(image& lib);

/// What stands at an address that will be called.
enum class code_at : std::uint8_t { there, outside, inside, zeros };
[[nodiscard]] code_at look_at_code(const image& lib, std::uint64_t address);
/// Whether a function's code is there, as far as zeros tell. The unwind table's functions are known to be.
[[nodiscard]] outcome code_is_written(const image& lib, std::uint64_t function, std::uint64_t size, const char* name);

}  // namespace autoreload::inspecting
