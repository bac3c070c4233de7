// SPDX-License-Identifier: MIT
// search_path: where the dynamic loader looks for a library that another one needs.
//
// The order is glibc's (ld.so(8)): DT_RPATH of the library, of those that led to it, and of the program, unless the
// library has a DT_RUNPATH; LD_LIBRARY_PATH as the loader read it when the program started; the library's DT_RUNPATH;
// the loader's cache; the default directories.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "elf/view.hpp"
#include "reload/inspect/inspect.hpp"
#include "reload/snapshot/snapshot.hpp"
#include "system/mapped_file.hpp"

namespace autoreload {

/// Where to look, and who says so.
struct search_directory {
  std::string path;        ///< absolute
  bool run_path = false;   ///< the library itself says so, or one that needs it
  bool by_origin = false;  ///< by its `$ORIGIN`, which for the loader is the place of the copy
  bool operator==(const search_directory&) const = default;
};

/// A library's own run path, with its directories expanded.
struct own_run_path {
  std::vector<search_directory> directories;
  bool inherited = false;  ///< it is a DT_RPATH (or there is none): what the library needs is looked for by it, too
};

/// @param has_run_path  whether it is a DT_RUNPATH: see has_run_path()
[[nodiscard]] own_run_path run_path_of(const elf_facts& facts, const snapshot& image, bool has_run_path);

/// Whether a file that inspect() called sound has a DT_RUNPATH.
[[nodiscard]] bool has_run_path(const elf_view& file);

/// What this process adds to every library's run path, as its loader has it now.
struct process_search_path {
  std::vector<std::string> inherited;    ///< the program's DT_RPATH
  std::vector<std::string> environment;  ///< LD_LIBRARY_PATH when the program started
  std::vector<std::string> defaults;
};
/// Thread-safety: any thread. Costs a few microseconds.
[[nodiscard]] process_search_path process_directories();

/// The loader's cache (/etc/ld.so.cache), as it was when it was made. Any thread.
class loader_cache {
 public:
  /// Where it says that a library is; empty if it doesn't. A few microseconds.
  [[nodiscard]] std::string find(const std::string& name) const;

 private:
  const mapped_file file_{"/etc/ld.so.cache"};  // ldconfig writes another and renames it: nobody shortens this one
};

/// Whether the loader would take the file: it goes on looking after one of another machine or word size. True also for
/// what can't be read.
[[nodiscard]] bool loader_would_take(const std::string& path);

}  // namespace autoreload
