// SPDX-License-Identifier: MIT
// crash_report: says which reloaded function crashed the program, and then lets it crash as it would have.
//
// DESIGN  The handler itself only looks at the table of generations. If the crash may be theirs, it starts a child that
//         borrows this thread's memory and stack (see aside.hpp), unwinds the stack, reads symbols and lines and writes
//         the report, while the thread sleeps. Whatever the child meets on the way (a damaged stack, a damaged file, an
//         endless loop), it alone ends. Then the handler passes the signal on.
//
// SHARED  - the table of generations: see crash_table.hpp.
//         - `before` and `settings`: written by install and by the destructor, while handlers that use them may run.
//           They are published by the sigaction call that makes the handler reachable, and by `active` (release,
//           acquire).
//         - `reporter`: the thread whose report is being made, the only one that may use `text`. Taken by
//           compare-exchange (acquire), given back by a release store.
#include <autoreload/crash_report.hpp>

#include <fcntl.h>
#include <link.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unwind.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <mutex>
#include <string_view>

#include "crash/crash_table.hpp"
#include "crash/source_place.hpp"
#include "system/aside.hpp"
#include "system/signal_name.hpp"

namespace autoreload {
namespace {

using crash_table::address_range;
using crash_table::entry;

constexpr std::array<int, 5> signals{SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT};
constexpr int most_reports = 16;
constexpr int most_frames = 256;
constexpr int time_limit = 3;  // seconds

struct previous {
  struct sigaction action {};
  std::atomic<bool> spent{false};  // it asked for one call only (SA_RESETHAND) and has had it
  bool installed = false;          // also when somebody's handler stands on top of ours, which then can't be taken away
};

constinit std::mutex installing;  // guards the next two; no handler takes it
constinit std::array<previous, signals.size()> before;
constinit crash_report_options settings;
constinit std::array<address_range, 4> program_code;  // of the main program

constinit std::atomic<bool> active{false};
constinit std::atomic<pid_t> reporter{0};
constinit std::atomic<int> reports_left{most_reports};

std::size_t index_of(int number) noexcept {
  return static_cast<std::size_t>(std::find(signals.begin(), signals.end(), number) - signals.begin());
}

// What the handler was told.
struct incident {
  int signal;
  const siginfo_t* info;
  std::uintptr_t instruction;
  std::uintptr_t stack;
  std::uintptr_t link;  // where a function that was just called will return to; 0 when that is on the stack

  [[nodiscard]] bool is_fault() const noexcept { return info->si_code > 0; }  // else somebody sent it
  [[nodiscard]] std::uintptr_t address() const noexcept {
    return is_fault() ? reinterpret_cast<std::uintptr_t>(info->si_addr) : 0;
  }
};

incident describe(int signal, const siginfo_t* info, const void* context) noexcept {
  const mcontext_t& machine = static_cast<const ucontext_t*>(context)->uc_mcontext;
#if defined(__x86_64__)
  return {signal, info, static_cast<std::uintptr_t>(machine.gregs[REG_RIP]),
          static_cast<std::uintptr_t>(machine.gregs[REG_RSP]), 0};
#elif defined(__aarch64__)
  return {signal, info, machine.pc, machine.sp, machine.regs[30]};
#else
#error "crash reports know x86-64 and aarch64"
#endif
}

bool is_program_code(std::uintptr_t address) noexcept {
  return std::any_of(program_code.begin(), program_code.end(),
                     [=](const address_range& range) { return range.holds(address); });
}

// The generation that an address belongs to: a loaded one rather than one whose addresses were used again since, and
// the youngest of several.
bool find_generation(std::uintptr_t address, bool loaded_code_only, entry& found) noexcept {
  found = entry{};
  entry one;
  for (std::size_t slot = 0; slot < crash_table::capacity; ++slot) {
    if (!crash_table::read(slot, one) || !one.image.holds(address)) continue;
    if (loaded_code_only && (one.unloaded != 0 || !one.has_code_at(address))) continue;
    const bool better = found.ticket == 0 || (one.unloaded == 0 && found.unloaded != 0) ||
                        ((one.unloaded == 0) == (found.unloaded == 0) && one.ticket > found.ticket);
    if (better) found = one;
  }
  return found.ticket != 0;
}

// Whether something else was loaded where an old generation was.
bool belongs_to_another_library([[maybe_unused]] std::uintptr_t address) noexcept {
#ifdef DLFO_STRUCT_HAS_EH_DBASE  // glibc 2.35
  dl_find_object object;
  return ::_dl_find_object(reinterpret_cast<void*>(address), &object) == 0;
#else
  return false;
#endif
}

bool find_unloaded(std::uintptr_t address, entry& found) noexcept {
  return find_generation(address, false, found) && found.unloaded != 0 && !belongs_to_another_library(address);
}

enum class relation {
  none,
  inside,       // the instruction is the generation's
  called_bad,   // it called a pointer that leads nowhere
  called_down,  // something that it called crashed or gave up
  old_code,     // a call into an unloaded generation
  old_data,     // a pointer into an unloaded generation's data
};

struct finding {
  relation is = relation::none;
  entry generation;
  std::uintptr_t address = 0;  // whose function and line to tell
};

struct walk {
  const incident* of;
  finding* result;
  bool started = false;
  int frames = 0;
};

// One frame of the stack. The frames of the handler come first.
_Unwind_Reason_Code visit_frame(_Unwind_Context* context, void* argument) {
  walk& on = *static_cast<walk*>(argument);
  int at_instruction = 0;
  const std::uintptr_t instruction = _Unwind_GetIPInfo(context, &at_instruction);
  if (++on.frames > most_frames) return _URC_END_OF_STACK;
  if (instruction == on.of->instruction) on.started = true;
  if (!on.started) return _URC_NO_REASON;
  const std::uintptr_t address = at_instruction != 0 ? instruction : instruction - 1;  // the call, not what follows it
  if (is_program_code(address)) return _URC_END_OF_STACK;                              // the host's own crash
  if (!find_generation(address, true, on.result->generation)) return _URC_NO_REASON;
  on.result->is = relation::called_down;
  on.result->address = address;
  return _URC_END_OF_STACK;
}

finding investigate(const incident& what) noexcept {
  finding found;
  if (find_generation(what.instruction, true, found.generation)) {
    found.is = relation::inside;
    found.address = what.instruction;
    return found;
  }
  if (what.is_fault() && find_unloaded(what.instruction, found.generation)) {
    found.is = relation::old_code;
    found.address = what.instruction;
    return found;
  }
  if (what.is_fault() && what.address() == what.instruction) {  // there is no code: unwinding has nothing to go by
    std::uintptr_t caller = what.link;
    if (caller == 0) std::memcpy(&caller, reinterpret_cast<const void*>(what.stack), sizeof caller);
    if (find_generation(caller - 1, true, found.generation)) {
      found.is = relation::called_bad;
      found.address = caller - 1;
    }
    return found;
  }
  if (what.is_fault() && find_unloaded(what.address(), found.generation)) {
    found.is = relation::old_data;
    return found;
  }
  walk on{&what, &found};
  _Unwind_Backtrace(visit_frame, &on);
  return found;
}

// The report's text, in memory that is there already.
class composed_text {
 public:
  void clear() noexcept { size_ = 0; }
  composed_text& operator<<(std::string_view more) noexcept {
    const std::size_t size = std::min(more.size(), room_.size() - size_);
    std::memcpy(room_.data() + size_, more.data(), size);
    size_ += size;
    return *this;
  }
  composed_text& decimal(std::uint64_t number) noexcept { return digits(number, 10); }
  composed_text& hexadecimal(std::uint64_t number) noexcept { return (*this << "0x").digits(number, 16); }
  composed_text& seconds_since(std::int64_t then) noexcept {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    const std::int64_t passed = std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec - then;
    const auto tenths = static_cast<std::uint64_t>(std::max<std::int64_t>(passed, 0) / 100'000'000);
    return decimal(tenths / 10) << "." << std::string_view("0123456789").substr(tenths % 10, 1) << " s ago";
  }
  void write_to(int descriptor) const noexcept {
    std::string_view left(room_.data(), size_);
    while (!left.empty()) {
      const ssize_t written = ::write(descriptor, left.data(), left.size());
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0) return;
      left.remove_prefix(static_cast<std::size_t>(written));
    }
  }

 private:
  composed_text& digits(std::uint64_t number, unsigned base) noexcept {
    std::array<char, 20> backwards;
    std::size_t count = 0;
    do {
      backwards[count++] = "0123456789abcdef"[number % base];
      number /= base;
    } while (number != 0);
    while (count > 0) *this << std::string_view(&backwards[--count], 1);
    return *this;
  }

  std::array<char, 4096> room_{};
  std::size_t size_ = 0;
};

constinit composed_text text;

void tell_place(const finding& found) noexcept {
  const auto snapshot = static_cast<int>(found.generation.snapshot);
  const std::uintptr_t address = found.address - found.generation.base;
  struct stat status {};
  const bool there = snapshot >= 0 && ::fstat(snapshot, &status) == 0 && status.st_dev == found.generation.device &&
                     status.st_ino == found.generation.inode && status.st_size > 0;
  const auto size = there ? static_cast<std::size_t>(status.st_size) : 0;
  void* const file = there ? ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, snapshot, 0) : MAP_FAILED;
  if (file == MAP_FAILED) {
    (text << "  function: unknown, at ").hexadecimal(address) << " in the library\n";
    return;
  }
  const std::span<const std::byte> bytes(static_cast<const std::byte*>(file), size);
  const function_place function = find_function(bytes, address);
  text << "  function: ";
  if (function.name.empty()) {
    text << "unknown, at ";
  } else {
    (text << function.name << "+").hexadecimal(function.offset) << ", at ";
  }
  text.hexadecimal(address) << " in the library\n";
  const line_place place = settings.source_lines ? find_line(bytes, address) : line_place{};
  if (!place.file.empty()) {
    const bool whole = place.file.front() == '/';
    const bool folder_whole = !place.folder.empty() && place.folder.front() == '/';
    text << "  source:   ";
    if (!whole && !folder_whole && !place.root.empty()) text << place.root << "/";
    if (!whole && !place.folder.empty()) text << place.folder << "/";
    (text << place.file << ":").decimal(place.line) << "\n";
  }
  ::munmap(file, size);  // it is in the host's memory
}

void compose(const incident& what, const finding& found) noexcept {
  const char* const name = signal_name(what.signal);
  const auto generation = [&]() -> composed_text& {
    return (text << "generation ").decimal(found.generation.number)
           << " of \"" << std::string_view(found.generation.path.data()) << "\"";
  };
  const auto unloaded = [&]() -> composed_text& {
    generation() << ", which was unloaded ";
    return text.seconds_since(found.generation.unloaded);
  };
  text.clear();
  text << "\nautoreload: " << name << " ";
  switch (found.is) {
    case relation::none: return;
    case relation::inside: {
      text << "in ";
      generation();
      if (what.signal == SIGSEGV && what.is_fault()) {
        const std::uintptr_t apart = what.address() - what.stack + 0x8000;
        (text << ": it used address ").hexadecimal(what.address())
            << (apart < 0x10000 ? ", at the end of its stack: most likely an endless recursion" : "");
      }
      break;
    }
    case relation::called_bad:
      text << "in ";
      (generation() << ": it called ").hexadecimal(what.instruction) << ", where there is no function";
      break;
    case relation::called_down:
      text << "in code that was called by ";
      generation();
      break;
    case relation::old_code:
      text << "in a call into ";
      unloaded() << ": somebody kept a pointer to its code";
      break;
    case relation::old_data:
      (text << "at address ").hexadecimal(what.address()) << ", data of ";
      unloaded() << ": somebody kept a pointer to it";
      break;
  }
  text << "\n";
  if (found.is != relation::old_data) tell_place(found);
  (text << "  loaded:   ").seconds_since(found.generation.loaded) << "\n";
}

void give_up(int) noexcept { ::_exit(1); }

// The child: whatever goes wrong from here on ends it and nobody else.
void tell(void* argument) noexcept {
  struct sigaction action {};
  action.sa_handler = give_up;
  sigset_t open;
  sigemptyset(&open);
  for (const int number : signals) {
    ::sigaction(number, &action, nullptr);
    sigaddset(&open, number);
  }
  ::sigaction(SIGALRM, &action, nullptr);
  sigaddset(&open, SIGALRM);
  ::sigprocmask(SIG_UNBLOCK, &open, nullptr);
  itimerval limit{};
  limit.it_value.tv_sec = time_limit;
  ::setitimer(ITIMER_REAL, &limit, nullptr);

  const incident& what = *static_cast<const incident*>(argument);
  const finding found = investigate(what);
  if (found.is != relation::none) {
    compose(what, found);
    text.write_to(settings.descriptor);
  }
  ::_exit(found.is != relation::none ? 0 : 2);
}

// Cheap, and right in saying no: most signals that a host uses for purposes of its own end here.
bool may_concern_a_generation(const incident& what) noexcept {
  entry one;
  bool any = false;
  for (std::size_t slot = 0; slot < crash_table::capacity && !any; ++slot) any = crash_table::read(slot, one);
  if (!any) return false;
  if (!what.is_fault()) return what.info->si_pid == ::getpid();  // abort and raise, not another process
  if (!is_program_code(what.instruction)) return true;
  return find_generation(what.address(), false, one) && one.unloaded != 0;
}

void report(incident& what) noexcept {
  const auto self = static_cast<pid_t>(::syscall(SYS_gettid));
  // Another thread that crashes at the same time waits for its turn: its default action would end the first one's
  // report.
  for (int attempt = 0;; ++attempt) {
    pid_t nobody = 0;
    if (reporter.compare_exchange_strong(nobody, self, std::memory_order_acquire)) break;
    if (nobody == self || attempt > time_limit * 100) return;
    const timespec pause{0, 10'000'000};
    ::nanosleep(&pause, nullptr);
  }
  if (reports_left.load(std::memory_order_relaxed) > 0) {
    const undisturbed whole_report;
    const pid_t child = run_aside(tell, &what, 0);
    int status = 0;
    if (child > 0) {
      while (::waitpid(child, &status, __WALL) < 0 && errno == EINTR) {
      }
      if (WIFEXITED(status) && WEXITSTATUS(status) == 0) reports_left.fetch_sub(1, std::memory_order_relaxed);
    }
  }
  reporter.store(0, std::memory_order_release);
}

// Does what would have been done without us.
void pass_on(const incident& what, siginfo_t* info, void* context) noexcept {
  previous& earlier = before[index_of(what.signal)];
  const struct sigaction& action = earlier.action;
  const bool once = (static_cast<unsigned>(action.sa_flags) & static_cast<unsigned>(SA_RESETHAND)) != 0;
  const bool spent = once && earlier.spent.exchange(true, std::memory_order_relaxed);
  const bool informed = (action.sa_flags & SA_SIGINFO) != 0;
  if (!spent && informed) return action.sa_sigaction(what.signal, info, context);
  if (!spent && action.sa_handler == SIG_IGN && !what.is_fault()) return;
  if (!spent && action.sa_handler != SIG_DFL && action.sa_handler != SIG_IGN) return action.sa_handler(what.signal);
  // A fault happens again as soon as the handler returns, and then meets the default action. A signal that was sent
  // does not, and is sent again, to be delivered when the handler has returned.
  struct sigaction standard {};
  standard.sa_handler = SIG_DFL;
  ::sigaction(what.signal, &standard, nullptr);
  if (!what.is_fault()) ::syscall(SYS_rt_tgsigqueueinfo, ::getpid(), ::syscall(SYS_gettid), what.signal, info);
}

void on_signal(int number, siginfo_t* info, void* context) noexcept {
  const int error_number = errno;
  incident what = describe(number, info, context);
  if (active.load(std::memory_order_acquire) && may_concern_a_generation(what)) report(what);
  errno = error_number;
  pass_on(what, info, context);
}

void remember_program_code() {
  ::dl_iterate_phdr(
      [](dl_phdr_info* program, std::size_t, void*) {
        std::size_t ranges = 0;
        for (int i = 0; i < program->dlpi_phnum; ++i) {
          const ElfW(Phdr)& header = program->dlpi_phdr[i];
          if (header.p_type != PT_LOAD || (header.p_flags & PF_X) == 0 || ranges == program_code.size()) continue;
          const std::uintptr_t begin = program->dlpi_addr + header.p_vaddr;
          program_code[ranges++] = {begin, begin + header.p_memsz};
        }
        return 1;  // the program comes first
      },
      nullptr);
}

bool install_handler(std::size_t i) {
  if (before[i].installed) return true;  // still in the chain
  struct sigaction now {};
  if (::sigaction(signals[i], nullptr, &now) != 0) return false;
  before[i].action = now;
  before[i].spent.store(false, std::memory_order_relaxed);
  struct sigaction ours {};
  ours.sa_sigaction = on_signal;
  ours.sa_mask = now.sa_mask;
  ours.sa_flags = SA_SIGINFO | SA_ONSTACK | (now.sa_flags & (SA_NODEFER | SA_RESTART));
  before[i].installed = ::sigaction(signals[i], &ours, nullptr) == 0;
  return before[i].installed;
}

void remove_handlers() {
  active.store(false, std::memory_order_release);
  crash_table::keep_snapshots(false);
  for (std::size_t i = 0; i < signals.size(); ++i) {
    struct sigaction now {};
    if (!before[i].installed || ::sigaction(signals[i], nullptr, &now) != 0) continue;
    const bool on_top = (now.sa_flags & SA_SIGINFO) != 0 && now.sa_sigaction == &on_signal;
    if (on_top) before[i].installed = ::sigaction(signals[i], &before[i].action, nullptr) != 0;
  }
}

}  // namespace

result<crash_report> install_crash_report(const crash_report_options& options) {
  const std::lock_guard lock(installing);
  if (active.load(std::memory_order_relaxed)) {
    return error(stage::use, {}, "crash reports are installed already")
        .advise("keep the one guard that install_crash_report returned, for all engines");
  }
  if (::fcntl(options.descriptor, F_GETFD) < 0) {
    return error(stage::use, {}, "descriptor " + std::to_string(options.descriptor) + " for crash reports is not open")
        .advise("give crash_report_options::descriptor one that is open, and keep it so");
  }
  settings = options;
  remember_program_code();
  // What is done once in a process is done now and not in a handler: the unwinder's first call may allocate.
  _Unwind_Backtrace([](_Unwind_Context*, void*) { return _URC_END_OF_STACK; }, nullptr);
  crash_table::keep_snapshots(true);
  active.store(true, std::memory_order_release);
  for (std::size_t i = 0; i < signals.size(); ++i) {
    if (install_handler(i)) continue;
    const int cause = errno;
    remove_handlers();
    return error(stage::use, {}, "no signal handler can be installed").system(std::strerror(cause));
  }
  return crash_report();
}

crash_report::~crash_report() {
  if (!active_) return;
  const std::lock_guard lock(installing);
  remove_handlers();
}

}  // namespace autoreload
