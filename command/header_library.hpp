// SPDX-License-Identifier: MIT
// header_library: what a C header says, read by the one who knows: a C compiler.
#pragma once

#include <string>
#include <vector>

#include "library_types.hpp"

namespace autoreload::command {

/// A small library whose debug information has the types of what a header declares. Its files are gone with it.
class header_library {
 public:
  /// @param names    symbols that the header may declare; it is no error when it does not
  /// @param library  for messages: whose names they are
  [[nodiscard]] static result<header_library> compile(const types_wanted& wanted, const std::vector<std::string>& names,
                                                      const std::string& library);
  header_library(header_library&& other) noexcept;
  header_library& operator=(header_library&&) = delete;
  ~header_library();

  [[nodiscard]] const std::string& path() const { return path_; }
  /// Enumerations that stand for the header's constants, by their tags.
  [[nodiscard]] const std::vector<std::string>& constants() const { return constants_; }
  /// Gives a description of this library the names that it stands for.
  void rename(types::description& types, const library& of) const;

 private:
  header_library() = default;

  std::string directory_;
  std::string path_;
  std::vector<std::string> constants_;
};

}  // namespace autoreload::command
