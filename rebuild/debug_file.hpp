// SPDX-License-Identifier: MIT
// debug_file: where a library's debug information is, and its sections, unpacked.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "elf/sections.hpp"

namespace autoreload::building {

/// The bytes of an ELF file with debug information. They may be damaged.
class debug_file {
 public:
  explicit debug_file(std::vector<std::byte> file) : bytes_(std::move(file)), sections_(bytes_) {}
  debug_file(const debug_file&) = delete;
  debug_file& operator=(const debug_file&) = delete;
  debug_file(debug_file&&) = default;  // a vector's bytes stay where they are
  debug_file& operator=(debug_file&&) = default;

  /// A section's bytes, valid as long as this object. Compressed ones (`-gz`, by zlib or zstd) are unpacked by
  /// libz.so.1 and libzstd.so.1, which come with the compiler that packed them.
  /// @return none when there is no such section, or it can't be unpacked: problem() then says why
  [[nodiscard]] file_bytes section(const std::string& name);
  [[nodiscard]] const elf_sections& sections() const noexcept { return sections_; }
  /// Why a section could not be unpacked, as a clause; empty when all could.
  [[nodiscard]] const std::string& problem() const noexcept { return problem_; }

 private:
  file_bytes unpack(file_bytes packed, std::uint64_t kind, std::uint64_t size, const std::string& name);

  std::vector<std::byte> bytes_;
  elf_sections sections_;
  std::map<std::string, std::vector<std::byte>> unpacked_;
  std::string problem_;
};

/// This file, whatever is in it. An empty one when it can't be read.
[[nodiscard]] debug_file read_elf_file(const std::string& path);

/// The file that holds a library's debug information: the library itself, or the separate file that its build-id or its
/// .gnu_debuglink names (beside it, in `.debug/`, or under /usr/lib/debug). A separate file of another build-id is
/// none.
/// @return an empty file when the library can't be read
[[nodiscard]] debug_file find_debug_file(const std::string& library);

}  // namespace autoreload::building
