// SPDX-License-Identifier: MIT
// inflate: unpacks sections that libdw may not be able to unpack itself (zstd: elfutils before 0.189, and later ones
// that were built without it).
#pragma once

#include <libelf.h>

#include <memory>
#include <string>
#include <vector>

namespace autoreload::types {

/// Unpacks each debug section of the file that is packed in another way than by zlib, in memory.
///
/// @param elf       opened for reading with a private mapping: section headers are changed in it
/// @param problems  says once what could not be unpacked, and why
/// @return what the sections' data now points to; keep it for as long as `elf`
[[nodiscard]] std::vector<std::unique_ptr<char[]>> inflate_sections(Elf* elf, std::vector<std::string>& problems);

}  // namespace autoreload::types
