// SPDX-License-Identifier: MIT
// worker_child: what the library prints goes to standard error, so that standard output has results and nothing else.
#include "worker_child.hpp"

#include <dlfcn.h>
#include <execinfo.h>
#include <fcntl.h>
#include <link.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <clocale>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <memory>

#include "json.hpp"
#include "session.hpp"
#include "types/wire.hpp"

#if defined(__x86_64__)
#include <ucontext.h>
#endif

namespace autoreload::command {

namespace {

int crash_answers = -1;  // set once, before the first handler is installed

// Says what happened and waits: the parent looks at this process's mappings, and then kills it.
void on_crash(int signal, siginfo_t* info, void* context) {
  struct {
    message_head head;
    crash_record record;
  } message{};
  message.head.size = sizeof message.record;
  message.head.kind = message_kind::crashed;
  crash_record& record = message.record;
  record.signal = signal;
  record.code = info->si_code;
  record.fault = reinterpret_cast<std::uintptr_t>(info->si_addr);
#if defined(__x86_64__)
  const auto& registers = static_cast<const ucontext_t*>(context)->uc_mcontext.gregs;
  record.instruction = static_cast<std::uint64_t>(registers[REG_RIP]);
  record.stack = static_cast<std::uint64_t>(registers[REG_RSP]);
#elif defined(__aarch64__)
  const auto& registers = static_cast<const ucontext_t*>(context)->uc_mcontext;
  record.instruction = registers.pc;
  record.stack = registers.sp;
#endif
  record.frames = -1;
  const auto send = [&] {
    write_all(crash_answers, &message.head, sizeof message.head);
    write_all(crash_answers, &record, sizeof record);
  };
  send();
  // A stack that is damaged may crash the walk, too; the first record is out by then.
  std::array<void*, 48> callers;
  const int count = backtrace(callers.data(), static_cast<int>(callers.size()));
  for (int i = 0; i < count; ++i)
    record.callers[static_cast<std::size_t>(i)] =
        reinterpret_cast<std::uintptr_t>(callers[static_cast<std::size_t>(i)]);
  record.frames = count;
  send();
  for (;;) pause();
}

void catch_crashes(int answers) {
  crash_answers = answers;
  // The first backtrace loads a library, which a crashed process may not be able to do.
  std::array<void*, 4> frames;
  backtrace(frames.data(), static_cast<int>(frames.size()));
  static std::array<std::byte, 1 << 17> stack;
  stack_t alternate{};
  alternate.ss_sp = stack.data();
  alternate.ss_size = stack.size();
  sigaltstack(&alternate, nullptr);
  struct sigaction action {};
  action.sa_sigaction = on_crash;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER | static_cast<int>(SA_RESETHAND);
  sigfillset(&action.sa_mask);
  for (const int signal : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS})
    sigaction(signal, &action, nullptr);
}

// The program's own files are none of the library's business, and pipes among them must see their end.
void close_others(int requests, int answers) {
  const int low = std::min(requests, answers);
  const int high = std::max(requests, answers);
  const auto close_from = [](int first, int last) {
    if (first <= last) close_range(static_cast<unsigned>(first), static_cast<unsigned>(last), 0);
  };
  close_from(STDERR_FILENO + 1, low - 1);
  close_from(low + 1, high - 1);
  close_range(static_cast<unsigned>(high + 1), ~0U, 0);
}

void settle_in(const worker_options& options, pid_t parent) {
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(0);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGWINCH, SIGCHLD}) std::signal(signal, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  std::setlocale(LC_ALL, "C");      // as every program starts
  if (isatty(STDIN_FILENO) != 0) {  // a background group that reads the terminal is stopped
    const int nothing = open("/dev/null", O_RDONLY);
    dup2(nothing, STDIN_FILENO);
    close(nothing);
  }
  dup2(options.output, STDERR_FILENO);
  dup2(STDERR_FILENO, STDOUT_FILENO);
  std::setvbuf(stdout, nullptr, _IOLBF, 0);  // what it printed before it crashed is seen
}

bool read_all(int file, void* into, std::size_t size) {
  char* to = static_cast<char*>(into);
  while (size != 0) {
    const ssize_t got = read(file, to, size);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    to += got;
    size -= static_cast<std::size_t>(got);
  }
  return true;
}

class server {
 public:
  server(void* handle, type_table& types, const worker_options& options, int answers)
      : handle_(handle),
        types_(types),
        options_(options),
        answers_(answers),
        session_(types),
        evaluator_(types, around()) {}

  void answer(const std::string& expression) {
    try {
      const checked_expression checked = session_.check(expression);
      try {
        run(checked);
      } catch (...) {
        session_.forget(checked);
        throw;
      }
    } catch (const complaint& wrong) {
      abi::wire_writer out;
      out.number(wrong.where.begin);
      out.number(wrong.where.end);
      out.text(wrong.text);
      out.number(wrong.notes.size());
      for (const std::string& note : wrong.notes) out.text(note);
      send_message(answers_, message_kind::complained, out.take());
    } catch (const std::exception& thrown) {
      send_message(answers_, message_kind::threw, thrown.what());
    } catch (...) {
      send_message(answers_, message_kind::threw, "of no standard type");
    }
  }

 private:
  surroundings around() {
    surroundings made;
    made.address_of = [this](const std::string& name) { return address_of(name); };
    made.before_call = [this](const std::string& function, place) {
      send_message(answers_, message_kind::calling, function);
    };
    made.after_call = [home = getpid()] {
      if (getpid() != home) _exit(0);  // the library forked, and both came back: one of them is ours
    };
    return made;
  }

  void* address_of(const std::string& name) {
    // Before dlsym, which would find a function of this name in another library.
    const auto local = std::ranges::lower_bound(options_.locals, name, {}, &local_name::name);
    link_map* map = nullptr;
    if (local == options_.locals.end() || local->name != name || dlinfo(handle_, RTLD_DI_LINKMAP, &map) != 0) {
      return dlsym(handle_, name.c_str());
    }
    return reinterpret_cast<void*>(map->l_addr + local->address);
  }

  void run(const checked_expression& checked) {
    const auto begin = std::chrono::steady_clock::now();
    const std::vector<value> values = evaluator_.run(*checked.tree, checked.shown.size());
    const auto took = std::chrono::steady_clock::now() - begin;
    std::fflush(nullptr);
    for (std::size_t i = 0; i < values.size(); ++i) {
      const shown_value shown = show(values[i], types_, options_.show);
      abi::wire_writer out;
      out.text(checked.shown[i].name);
      out.text(types_.spell(values[i].type));
      out.text(to_text(shown));
      out.text(options_.json ? to_json(shown) : "");
      send_message(answers_, message_kind::result, out.take());
    }
    abi::wire_writer out;
    out.number(static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(took).count()));
    send_message(answers_, message_kind::done, out.take());
  }

  void* handle_;
  type_table& types_;
  const worker_options& options_;
  int answers_;
  session session_;
  evaluator evaluator_;
};

}  // namespace

void serve_expressions(const std::string& path, type_table types, const worker_options& options, int requests,
                       int answers, pid_t parent) {
  settle_in(options, parent);
  close_others(requests, answers);
  catch_crashes(answers);
  for (const std::string& first : options.preload) {
    if (dlopen(first.c_str(), RTLD_NOW | RTLD_GLOBAL) == nullptr) {
      send_message(answers, message_kind::not_loaded, dlerror());
      _exit(0);
    }
  }
  void* const handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) {
    send_message(answers, message_kind::not_loaded, dlerror());
    _exit(0);
  }
  server one(handle, types, options, answers);
  send_message(answers, message_kind::ready, {});
  std::uint32_t size = 0;
  while (read_all(requests, &size, sizeof size)) {
    std::string expression(size, '\0');
    if (!read_all(requests, expression.data(), size)) break;
    one.answer(expression);
  }
  std::fflush(nullptr);
  _exit(0);
}

}  // namespace autoreload::command
