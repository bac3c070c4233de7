// SPDX-License-Identifier: MIT
// worker_child: what the library prints goes to standard error, so that standard output has results and nothing else.
#include "worker_child.hpp"

#include <dlfcn.h>
#include <execinfo.h>
#include <fcntl.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <clocale>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "expression_server.hpp"
#include "succession.hpp"

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

// With its own process group, and an end at the parent's.
void become_a_worker(pid_t parent) {
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(0);
}

void settle_in(const worker_options& options, pid_t parent) {
  become_a_worker(parent);
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

// Reads one request.
bool read_request(int requests, request_kind& kind, std::string& payload) {
  request_head head{};
  if (!read_all(requests, &head, sizeof head)) return false;
  kind = head.kind;
  payload.assign(head.size, '\0');
  return read_all(requests, payload.data(), payload.size());
}

/// This process as a worker, and as each worker that is copied from it.
class served_library {
 public:
  served_library(const worker_options& options, int requests, int answers, pid_t parent)
      : options_(options), requests_(requests), answers_(answers), parent_(parent) {}

  /// The first build of the process.
  void begin(const std::string& path, type_table types) {
    result<loaded_build> loaded = load_build(path, options_.library, options_.generation);
    if (!loaded) refuse(message_kind::not_loaded, loaded.error().system());
    run_now(*std::move(loaded), std::move(types), options_.locals, {});
  }

  [[noreturn]] void serve() {
    request_kind kind{};
    std::string payload;
    while (read_request(requests_, kind, payload)) {
      if (kind == request_kind::succeed) {
        make_successor(payload);
      } else {
        expressions_.back()->answer(payload);
      }
    }
    std::fflush(nullptr);
    _exit(0);
  }

 private:
  // Says why, and ends: the parent has another way.
  [[noreturn]] void refuse(message_kind how, const std::string& why) const {
    send_message(answers_, how, why);
    _exit(0);
  }

  // Earlier builds' objects stay: the library may have pointers to what an expression has made.
  void run_now(loaded_build&& build, type_table types, std::vector<local_name> locals, const std::string& carried) {
    expressions_.push_back(
        std::make_unique<expression_server>(build.handle, std::move(types), options_, std::move(locals), answers_));
    running_ = std::move(build);
    tell_loaded(running_);
    send_message(answers_, message_kind::ready, carried);
  }

  void make_successor(const std::string& payload) {
    std::optional<succession> order = decode_succession(payload);
    if (!order) return;
    if (own_threads() != 1) {
      send_message(answers_, message_kind::no_successor, "the library has threads, which a copy would not have");
      return;
    }
    const std::string parents = "/proc/" + std::to_string(parent_) + "/fd/";
    const int requests = open((parents + std::to_string(order->requests)).c_str(), O_RDONLY | O_CLOEXEC);
    const int answers = open((parents + std::to_string(order->answers)).c_str(), O_WRONLY | O_CLOEXEC);
    std::fflush(nullptr);  // or the copy has it, too
    const pid_t copy = requests < 0 || answers < 0 ? -1 : copy_this_process();
    if (copy == 0) {
      close(std::exchange(requests_, requests));
      close(std::exchange(answers_, answers));
      return succeed(*std::move(order));
    }
    if (copy < 0) {
      send_message(answers_, message_kind::no_successor,
                   std::string("no copy of its process was made: ") + std::strerror(errno));
    } else {
      send_message(answers_, message_kind::successor, std::string(reinterpret_cast<const char*>(&copy), sizeof copy));
    }
    close(requests);
    close(answers);
  }

  // In the copy.
  void succeed(succession&& order) {
    become_a_worker(parent_);
    catch_crashes(answers_);
    result<loaded_build> loaded = load_build(order.load_path, order.library, order.generation);
    if (!loaded) refuse(message_kind::not_loaded, loaded.error().system());
    try {
      const result<std::string> carried = carry_state(running_, *loaded);
      if (!carried) refuse(message_kind::not_carried, carried.error().reason());
      run_now(*std::move(loaded), type_table(std::move(order.types)), std::move(order.locals), *carried);
    } catch (const std::exception& thrown) {
      refuse(message_kind::not_carried, thrown.what());
    }
  }

  const worker_options& options_;
  int requests_;
  int answers_;
  pid_t parent_;
  loaded_build running_;
  std::vector<std::unique_ptr<expression_server>> expressions_;  // the last one's build runs
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
  served_library one(options, requests, answers, parent);
  one.begin(path, std::move(types));
  one.serve();
}

}  // namespace autoreload::command
