// SPDX-License-Identifier: MIT
// trial: loads a snapshot in a helper process first.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <autoreload/backend.hpp>
#include <autoreload/call_sample.hpp>
#include <autoreload/error.hpp>
#include <autoreload/trial.hpp>

#include "reload/setback.hpp"

namespace autoreload {

struct trial_options {
  trial_policy policy;
  int flags = default_load_flags;         ///< dlopen's, the same as for the real load
  std::string load_path;                  ///< for a snapshot that is loaded by name; empty: by its descriptor
  std::vector<std::string> dependencies;  ///< absolute paths of libraries to dlopen first
  std::vector<std::string> symbols;       ///< names to look up: an indirect function's resolver is code that runs then
  int cancel = -1;                        ///< a descriptor; when it becomes readable the trial is given up

  bool tests = true;                 ///< run the library's own test
  std::vector<recorded_call> calls;  ///< to be made, in order
  /// The running generation, which makes them, too, in a helper of its own.
  struct {
    int snapshot = -1;                      ///< descriptor of its complete file; -1: there is none
    std::string load_path;                  ///< as above
    std::vector<std::string> dependencies;  ///< as above
  } running;
};

/// What a trial load came to.
struct trial_outcome {
  std::optional<setback> no;  ///< why the library is refused, or why nothing is known
  std::string remark;         ///< how it answers the calls otherwise than the running generation; empty: it doesn't
};

/// Loads the snapshot in a helper process, looks the symbols up, unloads it, and says how that ended badly, if it did.
///
/// A library that the helper's dlopen refuses passes: it may need a symbol that only the host has, and the real dlopen
/// will say so. The helper's standard output is dropped; the last of its standard error is in the error's system text.
/// When it has ended, or the time is up, its whole session is killed: children of a constructor don't survive the
/// trial.
///
/// The calling thread sleeps meanwhile and answers no signal but SIGKILL. The host gets no SIGCHLD, no wait() of its
/// own sees the helper, and its SIGCHLD disposition is of no matter. If the host dies, the helper dies.
///
/// The helper's executable is inside this library and runs from memory. The environment variable
/// AUTORELOAD_TRIAL_HELPER names another file to run instead (ignored in a set-user-ID program).
///
/// @param snapshot  descriptor of the complete file; not changed
/// @param path      the library as the user named it, for errors
/// @return no setback when it passed; else with an error of stage trial: the library's fault (its reason says what it
///         did), that the helper could not run, or that it was given up
/// Thread-safety: any thread, any number at a time.
[[nodiscard]] trial_outcome trial_load(int snapshot, const std::string& path, const trial_options& options);

}  // namespace autoreload
