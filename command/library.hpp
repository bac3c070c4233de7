// SPDX-License-Identifier: MIT
// library: the file that the user named, its bytes, and what it exports.
#pragma once

#include <cstddef>
#include <cstdint>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <autoreload/error.hpp>

namespace autoreload::command {

struct exported_name {
  std::string name;
  bool function;
};

/// A static function or variable, which only the symbol table knows.
struct local_name {
  std::string name;
  bool function = true;
  std::uint64_t address = 0;  ///< as the file has it
};

/// A library file as it was when it was opened. Thread-safety: as a std::string.
class library {
 public:
  /// @param name  a path; or, without a slash where no such file is, what the dynamic loader finds under it:
  /// `libz.so.1`
  [[nodiscard]] static result<library> open(const std::string& name);

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::span<const std::byte> bytes() const { return bytes_; }
  /// Functions and variables, by name.
  [[nodiscard]] const std::vector<exported_name>& exports() const { return exports_; }
  [[nodiscard]] const exported_name* find(std::string_view name) const;
  /// By name. A name that two units have, or that is exported too, is not among them.
  [[nodiscard]] const std::vector<local_name>& locals() const { return locals_; }
  /// Whether several of its units have a static function or variable of this name.
  [[nodiscard]] bool is_shared(const std::string& name) const { return shared_.contains(name); }

 private:
  std::string path_;
  std::vector<std::byte> bytes_;
  std::vector<exported_name> exports_;
  std::vector<local_name> locals_;
  std::set<std::string> shared_;
};

/// A file's bytes; nothing when it can't be read.
[[nodiscard]] std::vector<std::byte> bytes_of(const std::string& path);

}  // namespace autoreload::command
