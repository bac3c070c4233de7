// SPDX-License-Identifier: MIT
// running_libraries: what the engines of this process run, for those of their libraries that need one another.
//
// A library that needs another one, for which there is an engine too, gets the generation that this engine runs, and
// not a copy of its own: one library, one set of statics. When the engine publishes another generation, those who need
// it are woken and follow.
//
// SHARED  the list of engines and what each runs, guarded by a mutex that is held across fork. Wakers are called under
//         it, so that none outlives its engine; they take no lock that is held while this one is asked for.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "reload/dependencies/dependencies.hpp"
#include "reload/snapshot/file_identity.hpp"

namespace autoreload {

/// A generation that an engine runs.
struct running_copy {
  std::string file;    ///< the library's path
  std::string soname;  ///< in its file
  std::string alias;   ///< in this process; empty: it has none, and no other copy can be made to need it
  std::string load_path;
  private_libraries needs;
  std::uint64_t serial = 0;             ///< a different one for each
  const running_library* by = nullptr;  ///< whose it is
  bool pending = false;                 ///< there is a file of which its engine has not decided yet
};

/// An engine's entry in the list, from construction to destruction. Any thread.
class running_library {
 public:
  struct engine {
    std::string file;
    std::function<bool()> paused;  ///< it decides nothing for now
    std::function<void()> wake;    ///< makes it look again, soon; called on any thread
  };
  explicit running_library(engine who);
  running_library(const running_library&) = delete;
  running_library& operator=(const running_library&) = delete;
  ~running_library();

  /// It runs this from now on: wakes those that need it.
  void runs(running_copy now);
  /// It has taken or refused what this file is: wakes those that wait for that.
  void decided(const file_identity& file);
  /// Where its own dependencies are.
  void uses(const std::vector<std::string>& paths);

  /// What the oldest engine of that file runs, if there is one and it runs something.
  /// @param but  not this one's
  [[nodiscard]] static std::optional<running_copy> copy_of(const file_identity& file, const running_library* but);
  /// The same by SONAME, for what the loader would find nowhere else.
  [[nodiscard]] static std::optional<running_copy> copy_named(const std::string& soname, const running_library* but);
  /// Its number alone; 0 when there is none.
  [[nodiscard]] static std::uint64_t serial_of(const file_identity& file);

 private:
  struct state;
  template <class Predicate>
  [[nodiscard]] static const running_library* find(const running_library* but, Predicate is_it);
  [[nodiscard]] std::optional<running_copy> copy() const;
  void wake_users() const;

  const std::unique_ptr<state> state_;
};

}  // namespace autoreload
