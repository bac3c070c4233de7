// SPDX-License-Identifier: MIT
// linked: makes the libraries that a program is linked with reloadable, without an API struct.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <autoreload/error.hpp>
#include <autoreload/event.hpp>
#include <autoreload/language.hpp>

namespace autoreload {

namespace detail {
struct linked_start;
}

/// Which libraries are reloaded, how, and who is told.
struct linked_options {
  /// By their names or paths. None: all that no package manager looks after.
  std::vector<std::string> libraries;
  /// Load each new build in a helper process first.
  bool trial = false;
  /// Never unload an old build.
  bool keep_old = false;
  /// Called for each event of each library, never two at a time, on the engines' thread. It must not destroy the
  /// linked_libraries. What it throws is dropped. By default each event is written to standard error.
  std::function<void(const event&)> observer = log_to_stderr;
};

/// The libraries that are reloaded, as long as this lives. Afterwards the observer is not called any more, no newer
/// build is taken, and calls go on to the builds that they went to last.
///
/// Thread-safety: as a std::string; the libraries themselves are called by any thread. In a forked child no build
/// comes, and this may be destroyed there.
class AUTORELOAD_API linked_libraries {
 public:
  /// The other one looks after nothing then.
  linked_libraries(linked_libraries&& other) noexcept;
  /// The same. What was looked after here before ends as by the destructor.
  linked_libraries& operator=(linked_libraries&& other) noexcept;
  /// Waits for an observer that runs.
  ~linked_libraries();

  /// The files that are watched, absolute.
  [[nodiscard]] const std::vector<std::string>& paths() const noexcept { return paths_; }
  /// What a person should know: which library was left alone and why, and what of one is lost to newer builds. A
  /// sentence each.
  [[nodiscard]] const std::vector<std::string>& remarks() const noexcept { return remarks_; }

 private:
  struct watching;
  friend struct detail::linked_start;
  linked_libraries() noexcept;

  std::unique_ptr<watching> watching_;
  std::vector<std::string> paths_;
  std::vector<std::string> remarks_;
};

/// To be called first in main(): from then on each newer build of the libraries is called in place of the older one, by
/// the program's usual calls. The first event of each library is `loaded` of generation 1: the build that the program
/// started with.
///
/// The program is started once more, in this process and with the same arguments, environment, directory and
/// descriptors (but those that are close-on-exec): this call does not return then, and what ran before main() runs
/// again. The second call, in the program that was started so, returns. When the program can't be started like this,
/// the call returns an error at once, and the program goes on with the libraries as they are.
///
/// ```
/// int main(int, char** argv) {
///   const auto reloaded = autoreload::reload_linked_libraries(argv);
///   if (!reloaded) std::fprintf(stderr, "%s\n", reloaded.error().what());
/// ```
/// @param argv     main's own, with a null pointer behind the last
/// @param options  read once
/// @return an error, with what to do about it: of stage use when there is no such library, when the program can't run
///         so (set-user-ID, under another tool's loader), under `autoreload exec`, and for a second call; of stage load
///         when a library that was named can't be reloaded
/// @throws std::bad_alloc, std::system_error when there is no thread
/// Thread-safety: while no other thread runs that the program needs: they end with the start.
[[nodiscard]] AUTORELOAD_API result<linked_libraries> reload_linked_libraries(char** argv,
                                                                              const linked_options& options = {});

}  // namespace autoreload
