// SPDX-License-Identifier: MIT
// copy_place: where a private copy lives, and under which name the loader knows it.
//
// A copy needs a place that nobody else writes to, and a name that the loader has never seen. There are three, each a
// file: in memory, in a file without a name, and in a file beside the library.
#pragma once

#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>

#include <autoreload/error.hpp>
#include <autoreload/options.hpp>
#include <autoreload/trust.hpp>

#include "reload/inspect/inspect.hpp"
#include "system/unique_fd.hpp"

namespace autoreload {

/// A file's name that goes with the object.
class temporary_name {
 public:
  temporary_name() = default;
  explicit temporary_name(std::string path) : path_(std::move(path)) {}
  temporary_name(temporary_name&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  temporary_name& operator=(temporary_name&& other) noexcept {
    std::swap(path_, other.path_);
    return *this;
  }
  ~temporary_name() {
    if (!path_.empty()) unlink(path_.c_str());
  }
  [[nodiscard]] explicit operator bool() const noexcept { return !path_.empty(); }

 private:
  std::string path_;
};

/// A file for a private copy, open for reading and writing, still empty.
struct copy_file {
  unique_fd file;
  std::string load_path;     ///< what to give to dlopen
  temporary_name name;       ///< in the file system, where it has one
  bool stays_named = false;  ///< the name is to be kept as long as the library is loaded
  std::uint64_t size = 0;    ///< bytes that it has already
};

/// In memory (a memfd), loaded by its descriptor. Nobody else can open it, and it vanishes with the process.
/// @param path  the library's, whose file name it gets for /proc/PID/maps
[[nodiscard]] result<copy_file> copy_in_memory(const std::string& path);

/// In a file of a temporary directory, for where there is no memfd. It has no name and is loaded by its descriptor.
/// Where there is no /proc, the loader needs a name: then only a directory is taken in which nobody else can change
/// what it leads to, and the name lasts until the library is loaded.
[[nodiscard]] result<copy_file> copy_in_file(const std::string& path);

/// In a hidden file in the library's own directory, for a library that looks for itself. dladdr, $ORIGIN and
/// /proc/PID/maps lead to that directory. The name stays as long as the library is loaded. What a process leaves behind
/// that was killed, the next one removes.
/// @param trust  the library's: the directory has to pass it, also where the library's needn't
[[nodiscard]] result<copy_file> copy_beside(const std::string& path, const trust_policy& trust);

/// What `automatic` comes to for a library: beside, if it can ask where it is (dladdr, dlinfo) or opens others by
/// $ORIGIN.
/// @param facts  what inspect() read of it
/// @param file   its bytes
[[nodiscard]] loader_name name_for(loader_name chosen, const elf_facts& facts, std::span<const std::byte> file);

/// The file name of the library that a private copy was made of, by the loader's name for the copy. Empty when that is
/// no copy's.
[[nodiscard]] std::string original_name(const std::string& load_path);

/// The name by which the loader and debuggers open a descriptor of this process or thread; empty where there is no
/// /proc.
[[nodiscard]] std::string descriptor_path(int file);

/// From now on descriptor_path() names descriptors of the calling thread: its table of them is not the process's. Any
/// thread.
void name_descriptors_by_thread() noexcept;

/// The part of a path after its last slash.
[[nodiscard]] inline std::string base_name(const std::string& path) { return path.substr(path.rfind('/') + 1); }

inline constexpr std::string_view beside_prefix = ".autoreload-";
inline constexpr std::size_t beside_tag_length = 16;  ///< random letters after the prefix, before a '-'

}  // namespace autoreload
