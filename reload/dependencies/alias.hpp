// SPDX-License-Identifier: MIT
// alias: gives a private copy a SONAME that no other library in the process has.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "reload/inspect/inspect.hpp"
#include "reload/snapshot/snapshot.hpp"

namespace autoreload {

/// Letters of a name that tell its copies apart: a shorter name can't have an alias.
inline constexpr std::size_t alias_tag_length = 5;

/// A name of the same length that no other library has. Any thread.
/// @param name  longer than alias_tag_length
[[nodiscard]] std::string alias_for(const std::string& name);

/// Gives the copy of an inspected library an alias for a SONAME, if its file lets it.
/// @return the alias; empty if there is none
[[nodiscard]] std::string give_alias(snapshot& image, std::span<const std::byte> bytes, const elf_facts& facts);

/// Writes `alias` over each dynamic string of the copy that is `name`: DT_SONAME, DT_NEEDED and the version needs share
/// them.
/// @param bytes  the inspected file
/// @return whether there was one and all were written. There is none when linkers stored it as the end of another.
[[nodiscard]] bool rename_in(snapshot& image, std::span<const std::byte> bytes, const elf_facts& facts,
                             const std::string& name, const std::string& alias);

}  // namespace autoreload
