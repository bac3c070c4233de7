// SPDX-License-Identifier: MIT
// dependencies: the libraries of the user's that the library needs (DT_NEEDED), reloaded along with it.
//
// The loader finds a needed library by the name in DT_SONAME among those that are loaded, so a rebuilt one would never
// replace the one that the running generation holds; it would be mapped from the file that a linker may rewrite; and
// `$ORIGIN` means nothing to a library that comes from a memfd. So each is loaded from a snapshot of its own, like the
// library itself, under an alias: a SONAME of the same length, written into the copies of both. A dependency that did
// not change is shared by successive generations, with its statics.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <autoreload/error.hpp>
#include <autoreload/trust.hpp>

#include "reload/dependencies/search_path.hpp"
#include "reload/inspect/inspect.hpp"
#include "reload/snapshot/snapshot.hpp"

namespace autoreload {

class running_library;

/// One such library.
struct private_library {
  std::string path;   ///< the file
  std::string alias;  ///< its name in this process
  snapshot image;
  elf_facts facts;
  own_run_path searched;
  std::vector<std::shared_ptr<private_library>> needs;  ///< which must outlive it
  void* handle = nullptr;                               ///< once opened
  const running_library* by = nullptr;                  ///< the engine whose generation it is, if it is no own copy

  private_library() = default;
  private_library(const private_library&) = delete;
  private_library& operator=(const private_library&) = delete;
  ~private_library();
};
using private_libraries = std::vector<std::shared_ptr<private_library>>;

/// One of which there is no copy: the loader maps its file.
struct left_library {
  std::string path;
  std::string reason;  ///< and what to do about it
};

/// What a library needs, as far as it is the user's: found where the loader would look, not the system's packages', and
/// not loaded by the host itself.
struct dependencies {
  private_libraries libraries;        ///< needed ones first
  bool looked_for = false;            ///< false: nobody has looked yet
  std::vector<std::string> paths;     ///< where they are, or would be looked for: to be watched
  std::uint64_t state = 0;            ///< of those paths as they were when they were looked at: see state_of
  bool settled = true;                ///< whether any later change of theirs would show in it
  std::vector<std::string> warnings;  ///< what can't be reloaded, and why
  std::vector<left_library> left;     ///< what the loader will map from the file itself
  std::optional<setback> no;          ///< one of them can't be used

  /// From now on this path counts, too: it is watched, and a change of it leads to another look. Call it before the
  /// file is opened. Not thread-safe.
  /// @return what is there, if anything
  std::optional<file_identity> rely_on(const std::string& path);
};

/// What is asked of them, as of the library itself.
struct dependency_policy {
  const trust_policy& trust;
  loader_name name = loader_name::automatic;
  bool require_digest = false;
  writer_patience* patience = nullptr;    ///< see snapshotter::request
  const running_library* self = nullptr;  ///< the engine that asks
  bool linked = false;  ///< the host is linked with the library, so with what that needs, too, and knows it
};

/// Takes snapshots of the dependencies and writes their aliases into them and into `image`. Runs nothing of theirs.
/// @param path     the library, for errors
/// @param image    its snapshot, kept and not yet sealed
/// @param bytes    the inspected file
/// @param running  what the running generation uses: taken again where it has not changed
[[nodiscard]] dependencies prepare_dependencies(const std::string& path, snapshot& image,
                                                std::span<const std::byte> bytes, const elf_facts& facts,
                                                const dependency_policy& policy, const private_libraries& running);

/// dlopens those that are not open yet, in order.
[[nodiscard]] result<void> open_dependencies(const private_libraries& libraries, const std::string& path, int flags);

/// A number that changes when any of the files does, appears or goes. Its value for no path at all is that of
/// `dependencies::state` for a library without any. A file that an engine of this process watches counts as the
/// generation that this one runs.
[[nodiscard]] std::uint64_t state_of(const std::vector<std::string>& paths);

}  // namespace autoreload
