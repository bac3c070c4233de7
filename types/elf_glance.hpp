// SPDX-License-Identifier: MIT
// elf_glance: the little that is asked of an ELF file inside the host's own process; no debug information is read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace autoreload::types {

/// Where a file's debug information is.
struct debug_links {
  bool inside = false;              ///< it has a .debug_info of its own, perhaps compressed
  std::string link;                 ///< .gnu_debuglink's file name, or empty
  std::vector<std::byte> build_id;  ///< or empty
};

/// @param file  a readable descriptor; read with pread, never mapped, its position is left alone
/// @return nothing when it is no ELF file of this machine's word size
/// Bytes may be anything. Thread-safety: any thread.
[[nodiscard]] std::optional<debug_links> find_debug_links(int file);

/// An exported symbol as the dynamic symbol table has it.
struct exported_symbol {
  std::string name;
  std::uint64_t size;  ///< bytes
  unsigned char type;  ///< STT_FUNC, STT_OBJECT, STT_TLS …
};

/// Those of `wanted` that the file defines. Bytes may be anything. Thread-safety: any thread.
[[nodiscard]] std::vector<exported_symbol> find_exported(int file, std::span<const std::string_view> wanted);

/// The separate files that may hold its debug information, best first: those of the build-id under each root, then
/// those of the debug link beside the file, in `.debug` beside it, and under each root. They may not exist.
[[nodiscard]] std::vector<std::string> separate_debug_files(const debug_links& of, std::string_view path,
                                                            std::span<const std::string> roots);

}  // namespace autoreload::types
