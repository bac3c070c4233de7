// SPDX-License-Identifier: MIT
// loaded: which names the dynamic loader knows.
#pragma once

#include <string>
#include <vector>

namespace autoreload {

/// Whether a library of exactly this name is loaded. Opens nothing: dlopen with RTLD_NOLOAD would open a name that the
/// loader doesn't know, and a descriptor's number may lead to somebody's pipe by then.
[[nodiscard]] bool is_loaded(const std::string& name);

/// The names by which the dynamic loader can find what is loaded, at the moment of construction: SONAMEs and file
/// names. About 100 ns for each library.
class loaded_names {
 public:
  /// Takes the loader's lock.
  loaded_names();

  /// False: nothing is loaded by that name, as far as names go. A file may still be loaded that this name leads to, by
  /// a link of another name. Any thread.
  [[nodiscard]] bool may_have(const std::string& name) const;

 private:
  std::vector<std::string> names_;  // sorted
};

}  // namespace autoreload
