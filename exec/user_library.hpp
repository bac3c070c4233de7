// SPDX-License-Identifier: MIT
// user_library: which libraries are the user's own, and of which a stand-in can be made.
#pragma once

#include <string>
#include <vector>

#include <autoreload/error.hpp>

namespace autoreload::exec {

/// Whether a library was asked for by its file name, its path or the name by which it is needed.
[[nodiscard]] bool is_named(const std::vector<std::string>& names, const std::string& path, const std::string& needed);

/// Whether nobody's package manager looks after a file: neither the system's nor a language's (site-packages,
/// node_modules). @param path  absolute
[[nodiscard]] bool is_users_own(const std::string& path);

/// A library that can get a stand-in.
struct prepared_standin {
  std::string path;                    ///< the library
  std::string file;                    ///< the stand-in, in the directory of stand-ins
  std::vector<std::string> remarks;    ///< what the user should know
  std::vector<std::string> functions;  ///< that it exports
};

struct standin_wish {
  std::string path;                   ///< absolute
  std::string needed;                 ///< the name in DT_NEEDED; empty: it is opened by its path
  std::string directory;              ///< where the stand-in goes
  bool asked_for = false;             ///< by name: then what is left alone otherwise is taken, with a remark
  bool carries_state = false;         ///< its own variables go on in each build
  bool is_global = true;              ///< its symbols will be for all
  std::vector<std::string> replaced;  ///< functions that the program has itself
};

/// Reads the library, checks that it is one for this, and writes its stand-in.
/// @return an error of stage load, with the reason and what to do about it
[[nodiscard]] result<prepared_standin> prepare_standin(const standin_wish& wish);

}  // namespace autoreload::exec
