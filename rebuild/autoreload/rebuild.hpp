// SPDX-License-Identifier: MIT
// rebuild: builds a library when one of its sources is saved, beside the engine that reloads it.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <autoreload/diagnostic.hpp>
#include <autoreload/error.hpp>
#include <autoreload/options.hpp>
#include <autoreload/trust.hpp>

namespace autoreload {

/// What a rebuild_event tells of.
enum class rebuild_kind : std::uint8_t {
  ready,         ///< the sources are watched: the text says which command builds, and how many files are watched. It
                 ///< comes again when that becomes more or fewer
  building,      ///< the command was started: see files
  overtaken,     ///< a source was saved again meanwhile: this build was ended, and the next starts at once
  built,         ///< the command succeeded, and the library is another than before
  no_effect,     ///< the library is the same as before: the text says why
  build_failed,  ///< the command failed: see diagnostics and output. What runs goes on
  failed,        ///< the rebuilder can't do its work, or had to end the command: see failure
};

/// The kind's name in lower case, with a space. Never fails, any thread.
[[nodiscard]] AUTORELOAD_API std::string_view to_string(rebuild_kind kind) noexcept;

/// How long the parts of a build took.
struct rebuild_times {
  std::chrono::nanoseconds noticed{};  ///< from the wake-up by the save to the command's start
  std::chrono::nanoseconds ran{};      ///< from the command's start until nothing of it was left
};

/// One thing that happened, as a value.
struct rebuild_event {
  rebuild_kind kind{};                  ///< what happened
  std::uint64_t build = 0;              ///< which build, from 1; 0 when none is concerned
  std::string library;                  ///< as the user named it
  std::string text;                     ///< for a person: a line without the library's name
  std::vector<std::string> files;       ///< the sources whose saving led to the build; empty for one that was asked for
  std::vector<diagnostic> diagnostics;  ///< of a build that has ended: all that was understood of its output
  std::string output;                   ///< of a build that has ended: what the command printed, bounded
  std::optional<error> failure;         ///< of failed; of build_failed when there is advice
  rebuild_times times;                  ///< of a build that has ended
};

/// The event as one line, for a log: `build failed: lib.c:12:5: error: expected ';' before '}' token`.
[[nodiscard]] AUTORELOAD_API std::string to_string(const rebuild_event& happened);

/// What runs first when one source was saved and nothing else changed.
enum class rebuild_chain : std::uint8_t {
  automatic,  ///< direct where the tool's own start is the larger part (CMake's Makefiles), else the tool
  tool,       ///< always the build tool
  direct,  ///< the compiler's and the linker's command as the tool would run them, then the tool, which finds all done
           ///< or does it again. For ninja and CMake's Makefiles; else the tool
  linker,  ///< the compiler's command as it is, then the linker alone, without the compiler's driver, its plugin and
           ///< the libraries (small stubs with their names and versions stand for them); then the tool, whose library
           ///< replaces that one. What needs a name that no stub has, and where there is no direct chain: the tool
  tcc,     ///< tcc in the compiler's place, which takes a few milliseconds and does not optimise; then the tool, whose
           ///< library replaces tcc's. What tcc can't compile, and where there is no direct chain: the tool
};

/// What is built, how, and who is told. Read once, by the constructor.
struct rebuild_options {
  /// The command, as words; the first is found by PATH. Empty: it is found out (ninja, make, CMake, Meson; else the
  /// compiler's own command, by compile_commands.json or the library's debug information).
  std::vector<std::string> command;
  /// Where the command runs. Empty: the current directory, for a command that is named.
  std::string directory;
  /// Further files to watch; what is found out is watched in any case.
  std::vector<std::string> sources;
  /// Called for each event, in order, on the rebuilder's own thread. It may call the rebuilder, but not destroy it.
  /// What it throws is dropped.
  std::function<void(const rebuild_event&)> observer;
  /// Whose build files may be run. Give it the engine's policy.
  trust_policy trust;
  /// What runs first when one source was saved. Which one runs is said by the events' text.
  rebuild_chain chain = rebuild_chain::automatic;
  /// Build at the start, so that what runs is what was saved last. Without it the first save starts the first build.
  bool build_at_start = true;
  /// A command that runs longer is ended.
  std::chrono::milliseconds time_limit{std::chrono::minutes{10}};
  /// Bytes of a command's output that an event holds: half from its beginning, half from its end.
  std::size_t output_limit = std::size_t{1} << 20;
  /// A command that prints more bytes is ended.
  std::uint64_t flood_limit = std::uint64_t{1} << 28;
  /// Keep colours and other escape sequences in an event's output, and ask the tools for them (CLICOLOR_FORCE=1).
  bool colours = false;
  /// How saves are noticed.
  watch_mode watch = watch_mode::automatic;
  /// How often files are compared when that is by polling.
  std::chrono::milliseconds poll_interval{250};
};

/// Watches the sources of a library, and builds it when one of them is saved. The engine loads the library because its
/// file changes, as always; neither needs the other.
///
/// A save starts the command at once. A save during a build ends that build and all its processes; when they are gone
/// the next build starts, with what was saved last. When the host ends, however it ends, so does the build.
///
/// Thread-safety: all members, any thread. The rebuilder works on a thread of its own. In a forked child it does
/// nothing, and must not be destroyed there.
class AUTORELOAD_API rebuilder {
 public:
  /// Never waits for a command; what goes wrong is told by events.
  /// @param library  the library's path, which need not exist yet
  /// @param options  what is built, how, and who is told
  /// @throws error (of stage use) for an empty path or impossible options, std::system_error when there is no thread
  explicit rebuilder(std::string library, rebuild_options options = {});
  rebuilder(const rebuilder&) = delete;
  rebuilder& operator=(const rebuilder&) = delete;
  /// Ends what runs, and waits until it is gone. Afterwards the observer is not called any more.
  ~rebuilder();

  /// Builds as if all sources had been saved.
  void rebuild();
  /// The command that builds, as one line; empty until it is known.
  [[nodiscard]] std::string command() const;
  /// The files that are watched, absolute.
  [[nodiscard]] std::vector<std::string> sources() const;

 private:
  class worker;
  std::unique_ptr<worker> worker_;
};

}  // namespace autoreload
