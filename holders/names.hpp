// SPDX-License-Identifier: MIT
// names: what a person calls an address.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <autoreload/unload.hpp>

#include "elf/sections.hpp"

namespace autoreload::holding {

enum class symbol_kind : std::uint8_t { function, variable, thread_local_variable };

/// Such as `mix()+0x1c` or `table+0x8`, C++ names as the source has them; empty when no symbol covers the address.
/// @param address  as the file has it; of a thread-local variable, from the start of the thread's part
[[nodiscard]] std::string symbol_at(file_bytes file, std::uint64_t address, symbol_kind kind);

/// An object that the loader has mapped.
struct loaded_object {
  std::string name;  // its path; of the program, too
  std::uintptr_t base = 0;
  std::vector<memory_range> parts;
  std::vector<memory_range> writable;
  std::size_t thread_module = 0;   // number of its thread-local part, or 0
  std::size_t thread_size = 0;     // bytes of it
  std::uintptr_t thread_data = 0;  // of the calling thread, or 0

  [[nodiscard]] bool has(std::uintptr_t address) const noexcept;
  [[nodiscard]] bool writes(std::uintptr_t address) const noexcept;
};

/// All of them. Waits for no constructor.
/// @param bare  the base of the one that is looked for: it has no parts here, as copies of its addresses would be found
[[nodiscard]] std::vector<loaded_object> loaded_objects(std::uintptr_t bare);

/// The object that has an address, or null.
[[nodiscard]] const loaded_object* find_object(const std::vector<loaded_object>& all, std::uintptr_t address) noexcept;

/// Such as `variable handlers+0x8 of "/home/me/host"`.
[[nodiscard]] std::string variable_in_words(const loaded_object& object, std::uintptr_t address);

}  // namespace autoreload::holding
