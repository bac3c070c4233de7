// SPDX-License-Identifier: MIT
// crash_report: says which reloaded function crashed the program, and then lets it crash as it would have.
#pragma once

#include <unistd.h>

#include <utility>

#include <autoreload/error.hpp>

namespace autoreload {

/// How a crash is reported.
struct crash_report_options {
  /// Where the report goes, in one write. Kept open by the caller.
  int descriptor = STDERR_FILENO;
  /// Look the source line up in the library's debug information.
  bool source_lines = true;
};

/// Crash reports are on as long as this lives. Movable, not copyable.
class AUTORELOAD_API crash_report {
 public:
  /// Takes over from `other`, which then does nothing.
  crash_report(crash_report&& other) noexcept : active_(std::exchange(other.active_, false)) {}
  /// Exchanges the two.
  crash_report& operator=(crash_report&& other) noexcept {
    std::swap(active_, other.active_);
    return *this;
  }
  /// Puts the handlers back that were there before. One that somebody put on top of ours since is left alone; ours then
  /// does nothing but pass on. Not while another thread changes signal handlers.
  ~crash_report();

 private:
  crash_report() = default;
  friend result<crash_report> install_crash_report(const crash_report_options& options);
  bool active_ = true;
};

/// Installs handlers for SIGSEGV, SIGBUS, SIGILL, SIGFPE and SIGABRT. When one of these hits code of a loaded
/// generation of any engine in the process, or something that such code has called (a libc function given a bad
/// pointer, abort, a null function pointer), they write which generation of which library it was, which function and
/// source line, and how long it had been loaded. Also when the code or data belonged to a generation that was unloaded,
/// to which somebody kept a pointer. At most 64 generations are known at a time; the oldest are forgotten, never the
/// newest of a library.
///
/// Whatever is found, the signal then goes where it would have gone: to the handler that was installed before, with the
/// same arguments, or to the default action at the faulting instruction, with its core dump. A crash that has nothing
/// to do with a generation passes in silence. At most 16 reports are written in the life of the process, for a host
/// whose handler recovers.
///
/// The report is made by a child process that borrows the host's memory, with a time limit of three seconds: a damaged
/// stack or file can end the report, not the host. Nothing is allocated and no lock is taken. A stack overflow can only
/// be reported if its thread has an alternate signal stack (sigaltstack), of 16 KB or more.
///
/// @return the guard, or an error of stage use: it is installed already, or sigaction failed
/// Thread-safety: any thread, but not while another changes signal handlers. Handlers that are installed later must
/// chain to the ones they replace, or they see the crash alone.
[[nodiscard]] AUTORELOAD_API result<crash_report> install_crash_report(const crash_report_options& options = {});

}  // namespace autoreload
