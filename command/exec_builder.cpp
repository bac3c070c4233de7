// SPDX-License-Identifier: MIT
// exec_builder: a grandchild whose parent has ended: it belongs to the system, and notices the program's end by a
// pidfd.
#include "exec_builder.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <map>
#include <memory>

#include "builder.hpp"
#include "exec/journal.hpp"
#include "system/held_signal.hpp"
#include "system/unique_fd.hpp"

#if defined(AUTORELOAD_WITH_REBUILD)
#include "build_words.hpp"
#endif

namespace autoreload::command {

#if defined(AUTORELOAD_WITH_REBUILD)

namespace {

error unable(const char* what) { return error(stage::use, {}, what).system(std::strerror(errno)); }

// Standard error stays: what there is to say goes there, if not to a file.
void let_go_of_the_program(int notices, int program) {
  setsid();
  std::signal(SIGPIPE, SIG_IGN);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  dup2(null, STDIN_FILENO);
  dup2(null, STDOUT_FILENO);
#ifdef SYS_close_range
  unsigned from = STDERR_FILENO + 1;
  for (const int kept : {std::min(notices, program), std::max(notices, program)}) {
    if (static_cast<unsigned>(kept) > from) syscall(SYS_close_range, from, static_cast<unsigned>(kept) - 1, 0);
    from = static_cast<unsigned>(kept) + 1;
  }
  syscall(SYS_close_range, from, ~0U, 0);
#endif
}

class building {
 public:
  explicit building(const exec_building& what) : what_(what) {}

  void add(const std::string& library) {
    if (made_.count(library) != 0) return;
    const build_options options{
        .library = library, .command = what_.command, .directory = what_.directory, .at_start = false};
    rebuild_options how = rebuilding_of(options);
    how.observer = [options](const rebuild_event& happened) {
      exec::say("\"" + options.library + "\": " + notice_of(happened, options).text);
    };
    try {
      made_[library] = std::make_unique<rebuilder>(library, std::move(how));
    } catch (const std::exception& thrown) {
      exec::say("\"" + library + "\" is not built: " + thrown.what());
    }
  }

  // Until the program ends.
  void run(int notices, int program) {
    for (;;) {
      std::array<pollfd, 2> waits{pollfd{notices, POLLIN, 0}, pollfd{program, POLLIN, 0}};
      if (poll(waits.data(), waits.size(), -1) < 0 && errno != EINTR) return;
      if (waits[1].revents != 0) return;
      std::array<char, 4096> part;
      const ssize_t got = read(notices, part.data(), part.size());
      if (got > 0) text_.append(part.data(), static_cast<std::size_t>(got));
      for (std::size_t end = 0; (end = text_.find('\0')) != std::string::npos; text_.erase(0, end + 1)) {
        add(text_.substr(0, end));
      }
    }
  }

 private:
  const exec_building& what_;
  std::string text_;
  std::map<std::string, std::unique_ptr<rebuilder>> made_;
};

[[noreturn]] void build_until_its_end(const exec_building& what, int notices, int program) {
  let_go_of_the_program(notices, program);
  {
    building all(what);
    for (const std::string& library : what.libraries) all.add(library);
    all.run(notices, program);
  }
  _exit(0);
}

// A process whose parent ends goes to the nearest subreaper, which the program must not be.
class no_subreaper {
 public:
  no_subreaper() {
    prctl(PR_GET_CHILD_SUBREAPER, &before_);
    if (before_ != 0) prctl(PR_SET_CHILD_SUBREAPER, 0);
  }
  no_subreaper(const no_subreaper&) = delete;
  no_subreaper& operator=(const no_subreaper&) = delete;
  ~no_subreaper() {
    if (before_ != 0) prctl(PR_SET_CHILD_SUBREAPER, 1);
  }

 private:
  int before_ = 0;
};

}  // namespace

result<void> build_beside(const exec_building& what) {
  if (getpid() == 1) {
    return error(stage::use, {}, "process 1 is the parent of all that has none, and would be that of the builds")
        .advise("run the program under an init, such as that of docker run --init");
  }
#ifdef SYS_pidfd_open
  const unique_fd program(static_cast<int>(syscall(SYS_pidfd_open, getpid(), 0)));
#else
  errno = ENOSYS;
  const unique_fd program;
#endif
  if (!program) return unable("building beside a program needs Linux 5.3");
  if (mkfifo(what.notices.c_str(), 0600) != 0) return unable("there can be no pipe for the libraries that are opened");
  const unique_fd notices(open(what.notices.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC));
  if (!notices) return unable("there can be no pipe for the libraries that are opened");
  // Blocked, a SIGCHLD would wait for the program.
  const held_signal no_sigchld(SIGCHLD);
  const no_subreaper not_this_process;
  const pid_t between = fork();
  if (between < 0) return unable("no process could be made");
  if (between == 0) {
    const pid_t builder = fork();
    if (builder == 0) build_until_its_end(what, notices.get(), program.get());
    _exit(builder < 0 ? 1 : 0);
  }
  int status = 0;
  while (waitpid(between, &status, 0) < 0) {
    if (errno == ECHILD) return {};  // whoever started this has SIGCHLD ignored
    if (errno != EINTR) return unable("no process could be made");
  }
  if (status == 0) return {};
  errno = EAGAIN;
  return unable("no process could be made");
}

#else

result<void> build_beside(const exec_building&) {
  return error(stage::use, {}, "this program was built without rebuilding");
}

#endif

}  // namespace autoreload::command
