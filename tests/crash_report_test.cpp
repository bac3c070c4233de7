// SPDX-License-Identifier: MIT
// crash_report_test: a library that really crashes, in a child process each time; what is said about it, and whether
// the process then dies, or its own handler runs, exactly as without the report.
#include <autoreload/crash_report.hpp>
#include <autoreload/reloadable.hpp>

#include <dlfcn.h>
#include <link.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/resource.h>
#include <ucontext.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <memory>
#include <sstream>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "crash/crash_table.hpp"
#include "safety_support.hpp"
#include "system/unique_fd.hpp"

namespace autoreload {
namespace {

using test::ending;
using test::in_child;

std::vector<load_segment> segments_of(const std::string& file) {
  std::vector<load_segment> segments;
  Elf64_Ehdr header;
  std::memcpy(&header, file.data(), sizeof header);
  for (unsigned i = 0; i < header.e_phnum; ++i) {
    Elf64_Phdr part;
    std::memcpy(&part, file.data() + header.e_phoff + i * sizeof part, sizeof part);
    if (part.p_type != PT_LOAD) continue;
    segments.push_back({part.p_offset, part.p_filesz, part.p_vaddr, part.p_memsz, part.p_flags});
  }
  return segments;
}

// The fixture, loaded from a copy in memory as the engine does it.
class loaded_crasher {
 public:
  explicit loaded_crasher(std::uint64_t generation = 3) {
    const std::string file = test::built("CRASH_FIXTURES") + "/crasher.so";
    snapshot_ = unique_fd(test::copy_to_memory(file));
    const std::string name = "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(snapshot_.get());
    handle_ = ::dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (handle_ == nullptr) throw std::runtime_error(::dlerror());
    link_map* map = nullptr;
    ::dlinfo(handle_, RTLD_DI_LINKMAP, &map);
    ticket_ = crash_table::add(generation, "build/libcrasher.so", map->l_addr, segments_of(test::read_file(file)),
                               snapshot_.get());
  }
  ~loaded_crasher() {
    if (handle_ != nullptr) unload();
  }
  loaded_crasher(const loaded_crasher&) = delete;
  loaded_crasher& operator=(const loaded_crasher&) = delete;

  template <class F>
  F* get(const char* name) const {
    return reinterpret_cast<F*>(::dlsym(handle_, name));
  }
  void unload() {
    ::dlclose(std::exchange(handle_, nullptr));
    crash_table::remove(ticket_);
    snapshot_ = unique_fd();
  }

 private:
  unique_fd snapshot_;
  void* handle_ = nullptr;
  std::uint64_t ticket_ = 0;
};

crash_report installed(const crash_report_options& options = {}) { return install_crash_report(options).value(); }

// `crasher.c:12` for the line with that comment.
std::string line_of(const std::string& mark) {
  std::istringstream source(test::read_file(test::built("CRASH_SOURCE")));
  std::string line;
  for (int number = 1; std::getline(source, line); ++number) {
    if (line.ends_with("at: " + mark)) return "crasher.c:" + std::to_string(number) + "\n";
  }
  return "no such mark";
}

::testing::AssertionResult says(const std::string& text, const std::string& part) {
  if (text.find(part) != std::string::npos) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << "\"" << part << "\" is not in:\n" << text;
}

bool is_silent(const ending& how) { return how.text.find("autoreload") == std::string::npos; }

TEST(crash_report, names_generation_function_line_and_time_of_a_crash) {
  const ending how = in_child([] {
    const auto guard = installed();
    const loaded_crasher library;
    library.get<int(int)>("write_null")(1);
  });
  EXPECT_EQ(how.signal(), SIGSEGV);
  EXPECT_TRUE(says(how.text, "autoreload: SIGSEGV in generation 3 of \"build/libcrasher.so\": it used address 0x0\n"));
  EXPECT_TRUE(says(how.text, "function: hidden_writer+0x"));
  EXPECT_TRUE(says(how.text, line_of("hidden_writer")));
  EXPECT_TRUE(says(how.text, "loaded:   0.0 s ago\n"));
}

TEST(crash_report, knows_every_signal) {
  const ending illegal = in_child([] {
    const auto guard = installed();
    const loaded_crasher library;
    library.get<int(int)>("undefined")(1);
  });
  EXPECT_EQ(illegal.signal(), SIGILL);
  EXPECT_TRUE(says(illegal.text, "autoreload: SIGILL in generation 3 of \"build/libcrasher.so\"\n"));
  EXPECT_TRUE(says(illegal.text, line_of("undefined")));
#if defined(__x86_64__)  // elsewhere a division by zero yields zero
  const ending division = in_child([] {
    const auto guard = installed();
    const loaded_crasher library;
    library.get<int(int)>("divide")(1);
  });
  EXPECT_EQ(division.signal(), SIGFPE);
  EXPECT_TRUE(says(division.text, "autoreload: SIGFPE in generation 3"));
  EXPECT_TRUE(says(division.text, line_of("divide")));
#endif
}

TEST(crash_report, finds_the_caller_of_abort) {
  const ending how = in_child([] {
    const auto guard = installed();
    const loaded_crasher library;
    library.get<int(int)>("gives_up")(1);
  });
  EXPECT_EQ(how.signal(), SIGABRT);
  EXPECT_TRUE(
      says(how.text, "autoreload: SIGABRT in code that was called by generation 3 of \"build/libcrasher.so\"\n"));
  EXPECT_TRUE(says(how.text, "function: gives_up+0x"));
  EXPECT_TRUE(says(how.text, line_of("gives_up")));
}

TEST(crash_report, finds_who_gave_libc_a_bad_pointer) {
  const ending how = in_child([] {
    const auto guard = installed();
    const loaded_crasher library;
    library.get<int()>("measure_null")();
  });
  EXPECT_EQ(how.signal(), SIGSEGV);
  EXPECT_TRUE(says(how.text, "autoreload: SIGSEGV in code that was called by generation 3"));
  EXPECT_TRUE(says(how.text, "function: measure_null+0x"));
  EXPECT_TRUE(says(how.text, line_of("measure_null")));
}

TEST(crash_report, finds_who_called_a_null_function_pointer) {
  const ending how = in_child([] {
    const auto guard = installed();
    const loaded_crasher library;
    library.get<int()>("call_null")();
  });
  EXPECT_EQ(how.signal(), SIGSEGV);
  EXPECT_TRUE(says(how.text,
                   "autoreload: SIGSEGV in generation 3 of \"build/libcrasher.so\": it called 0x0, where there is "
                   "no function\n"));
  EXPECT_TRUE(says(how.text, "function: call_null+0x"));
  EXPECT_TRUE(says(how.text, line_of("call_null")));
}

TEST(crash_report, tells_an_endless_recursion_on_an_alternate_stack) {
  const ending how = in_child([] {
    const auto guard = installed();
    const loaded_crasher library;
    const rlimit small{1 << 20, 1 << 20};
    ::setrlimit(RLIMIT_STACK, &small);
    const auto room = std::make_unique<char[]>(32 << 10);
    const stack_t other{room.get(), 0, 32 << 10};
    ASSERT_EQ(::sigaltstack(&other, nullptr), 0);
    library.get<int(int)>("recurses")(0);
  });
  EXPECT_EQ(how.signal(), SIGSEGV);
  EXPECT_TRUE(says(how.text, "at the end of its stack: most likely an endless recursion\n"));
  EXPECT_TRUE(says(how.text, "function: recurses+0x"));
}

TEST(crash_report, names_the_unloaded_generation_that_somebody_kept_a_function_of) {
  const ending how = in_child([] {
    const auto guard = installed();
    loaded_crasher library(7);
    int (*const kept)() = library.get<int()>("harmless");
    library.unload();
    kept();
  });
  EXPECT_EQ(how.signal(), SIGSEGV);
  EXPECT_TRUE(says(how.text,
                   "autoreload: SIGSEGV in a call into generation 7 of \"build/libcrasher.so\", which was unloaded "
                   "0.0 s ago: somebody kept a pointer to its code\n"));
  EXPECT_TRUE(says(how.text, "function: harmless+0x0"));
}

TEST(crash_report, names_the_unloaded_generation_that_somebody_kept_a_string_of) {
#if defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "the sanitizer maps memory of its own where the library was";
#endif
  const ending how = in_child([] {
    const auto guard = installed();
    loaded_crasher library(7);
    const char* volatile kept = library.get<const char*()>("greeting")();
    library.unload();
    std::fprintf(stderr, "%c", *kept);
  });
  EXPECT_EQ(how.signal(), SIGSEGV);
  EXPECT_TRUE(says(how.text,
                   "data of generation 7 of \"build/libcrasher.so\", which was unloaded 0.0 s ago: somebody kept "
                   "a pointer to it\n"));
}

TEST(crash_report, prefers_the_generation_that_is_loaded_at_the_same_address_now) {
  const ending how = in_child([] {
    const auto guard = installed();
    for (std::uint64_t number = 1; number <= 20; ++number) loaded_crasher(number).get<int()>("harmless")();
    const loaded_crasher library(21);
    library.get<int(int)>("write_null")(1);
  });
  EXPECT_EQ(how.signal(), SIGSEGV);
  EXPECT_TRUE(says(how.text, "autoreload: SIGSEGV in generation 21 of"));
}

__attribute__((noinline)) int crash_of_the_host() {
  static volatile int* volatile nowhere;
  *nowhere = 1;
  return 1;
}

TEST(crash_report, is_silent_about_crashes_of_the_host) {
  const ending fault = in_child([] {
    const auto guard = installed();
    const loaded_crasher library;
    library.get<int(int (*)())>("calls_back")([] { return 1; });
    crash_of_the_host();
  });
  EXPECT_EQ(fault.signal(), SIGSEGV);
  EXPECT_TRUE(is_silent(fault)) << fault.text;
  const ending called_back = in_child([] {
    const auto guard = installed();
    const loaded_crasher library;
    library.get<int(int (*)())>("calls_back")(crash_of_the_host);
  });
  EXPECT_EQ(called_back.signal(), SIGSEGV);
  EXPECT_TRUE(is_silent(called_back)) << called_back.text;
  const ending called_back_abort = in_child([] {
    const auto guard = installed();
    const loaded_crasher library;
    library.get<int(int (*)())>("calls_back")([]() -> int { std::abort(); });
  });
  EXPECT_EQ(called_back_abort.signal(), SIGABRT);
  EXPECT_TRUE(is_silent(called_back_abort)) << called_back_abort.text;
  const ending abort = in_child([] {
    const auto guard = installed();
    const loaded_crasher library;
    std::abort();
  });
  EXPECT_EQ(abort.signal(), SIGABRT);
  EXPECT_TRUE(is_silent(abort)) << abort.text;
  const ending in_libc = in_child([] {
    const auto guard = installed();
    const loaded_crasher library;
    static const char* volatile no_text;
    std::fprintf(stderr, "%d", static_cast<int>(std::strlen(no_text)));
  });
  EXPECT_EQ(in_libc.signal(), SIGSEGV);
  EXPECT_TRUE(is_silent(in_libc)) << in_libc.text;
}

TEST(crash_report, is_silent_about_a_host_that_writes_to_a_loaded_constant) {
  const ending how = in_child([] {
    const auto guard = installed();
    { const loaded_crasher old(1); }
    const loaded_crasher library(2);  // most likely where the old one was
    const_cast<volatile char*>(library.get<const char*()>("greeting")())[0] = 'H';
  });
  EXPECT_EQ(how.signal(), SIGSEGV);
  EXPECT_TRUE(is_silent(how)) << how.text;
}

TEST(crash_report, is_silent_about_signals_from_other_processes) {
  for (const int number : {SIGSEGV, SIGABRT}) {
    const ending how = in_child([&] {
      const auto guard = installed();
      const loaded_crasher library;
      const pid_t self = ::getpid();
      if (::fork() == 0) {
        ::kill(self, number);
        ::_exit(0);
      }
      library.get<int()>("waits")();
    });
    EXPECT_EQ(how.signal(), number);
    EXPECT_TRUE(is_silent(how)) << how.text;
  }
}

void* instruction_of(const void* context) {
  const mcontext_t& machine = static_cast<const ucontext_t*>(context)->uc_mcontext;
#if defined(__x86_64__)
  return reinterpret_cast<void*>(machine.gregs[REG_RIP]);
#else
  return reinterpret_cast<void*>(machine.pc);
#endif
}

const void* expected_instruction_in;  // the library's code, roughly

void informed_handler(int number, siginfo_t* info, void* context) {
  const auto apart = static_cast<char*>(instruction_of(context)) - static_cast<const char*>(expected_instruction_in);
  const bool right =
      number == SIGSEGV && info->si_addr == nullptr && info->si_code == SEGV_MAPERR && apart > -4096 && apart < 4096;
  const char text[] = "the host's own handler\n";
  (void)!::write(STDERR_FILENO, text, sizeof text - 1);
  ::_exit(right ? 42 : 41);
}

void plain_handler(int number) {
  const char text[] = "the host's own handler\n";
  (void)!::write(STDERR_FILENO, text, sizeof text - 1);
  ::_exit(number == SIGSEGV ? 43 : 44);
}

TEST(crash_report, hands_on_to_the_hosts_handler_of_either_kind) {
  const ending informed = in_child([] {
    struct sigaction action {};
    action.sa_sigaction = informed_handler;
    action.sa_flags = SA_SIGINFO;
    ::sigaction(SIGSEGV, &action, nullptr);
    const auto guard = installed();
    const loaded_crasher library;
    expected_instruction_in = reinterpret_cast<void*>(library.get<int(int)>("write_null"));
    library.get<int(int)>("write_null")(1);
  });
  EXPECT_EQ(informed.code(), 42);
  EXPECT_TRUE(says(informed.text, "autoreload: SIGSEGV in generation 3"));
  EXPECT_LT(informed.text.find("autoreload: SIGSEGV"), informed.text.find("the host's own handler"));

  const ending plain = in_child([] {
    ::signal(SIGSEGV, plain_handler);
    const auto guard = installed();
    const loaded_crasher library;
    library.get<int(int)>("write_null")(1);
  });
  EXPECT_EQ(plain.code(), 43);
  EXPECT_TRUE(says(plain.text, "autoreload: SIGSEGV in generation 3"));
}

sigjmp_buf recovery;

TEST(crash_report, lets_a_host_recover_and_reports_again) {
  const ending how = in_child([] {
    struct sigaction action {};
    action.sa_handler = [](int) { ::siglongjmp(recovery, 1); };
    ::sigaction(SIGSEGV, &action, nullptr);
    const auto guard = installed();
    const loaded_crasher library;
    volatile int times = 0;
    while (sigsetjmp(recovery, 1) != 0 || times == 0) {
      if (times == 20) break;
      times = times + 1;
      library.get<int(int)>("write_null")(1);
    }
    EXPECT_EQ(times, 20);
    EXPECT_EQ(library.get<int()>("harmless")(), 1);
  });
  EXPECT_EQ(how.code(), 0) << how.text;
  std::size_t reports = 0;
  for (std::size_t at = 0; (at = how.text.find("autoreload: SIGSEGV", at)) != std::string::npos; ++at) ++reports;
  EXPECT_EQ(reports, 16U) << "a host that recovers is not to be flooded";
}

TEST(crash_report, respects_a_handler_for_one_time) {
  const ending how = in_child([] {
    struct sigaction action {};
    action.sa_handler = [](int) {
      const char text[] = "once\n";
      (void)!::write(STDERR_FILENO, text, sizeof text - 1);
    };
    action.sa_flags = static_cast<int>(SA_RESETHAND);
    ::sigaction(SIGSEGV, &action, nullptr);
    const auto guard = installed();
    const loaded_crasher library;
    library.get<int(int)>("write_null")(1);  // the handler returns, and the instruction faults again
  });
  EXPECT_EQ(how.signal(), SIGSEGV);
  EXPECT_NE(how.text.find("once\n"), std::string::npos);
  EXPECT_EQ(how.text.find("once\n"), how.text.rfind("once\n"));
}

TEST(crash_report, ends_a_process_that_ignores_its_faults_as_the_kernel_does) {
  const ending how = in_child([] {
    ::signal(SIGSEGV, SIG_IGN);
    ::signal(SIGABRT, SIG_IGN);
    const auto guard = installed();
    const loaded_crasher library;
    ::raise(SIGABRT);  // a signal that was sent stays ignored
    library.get<int(int)>("write_null")(1);
  });
  EXPECT_EQ(how.signal(), SIGSEGV);
}

TEST(crash_report, lets_a_sent_signal_end_the_process) {
  for (const int number : {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT}) {
    const ending how = in_child([number] {
      const auto guard = installed();
      const loaded_crasher library;
      ::raise(number);
    });
    EXPECT_EQ(how.signal(), number);
    EXPECT_TRUE(is_silent(how)) << how.text;
  }
}

TEST(crash_report, leaves_other_signals_alone) {
  const ending how = in_child([] {
    const auto guard = installed();
    const loaded_crasher library;
    library.get<int(int)>("raises_terminate")(1);
  });
  EXPECT_EQ(how.signal(), SIGTERM);
  EXPECT_TRUE(is_silent(how));
}

TEST(crash_report, raises_no_sigchld_in_the_crashing_host) {
#if defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "this sanitizer knows no other child than fork's";
#endif
  const ending how = in_child([] {
    static std::atomic<int> children{0};
    struct sigaction child {};
    child.sa_handler = [](int) { ++children; };
    ::sigaction(SIGCHLD, &child, nullptr);
    struct sigaction action {};
    action.sa_handler = [](int) { ::_exit(children == 0 ? 10 : 11); };
    ::sigaction(SIGSEGV, &action, nullptr);
    const auto guard = installed();
    const loaded_crasher library;
    library.get<int(int)>("write_null")(1);
  });
  EXPECT_EQ(how.code(), 10);
  EXPECT_TRUE(says(how.text, "autoreload: SIGSEGV"));
}

TEST(crash_report, puts_the_old_handlers_back) {
  const ending how = in_child([] {
    ::signal(SIGSEGV, plain_handler);
    { const auto guard = installed(); }
    struct sigaction now {};
    ::sigaction(SIGSEGV, nullptr, &now);
    EXPECT_EQ(now.sa_handler, plain_handler);
    { const auto again = installed(); }
    const auto guard = installed();
    const auto second = install_crash_report();
    ASSERT_FALSE(second) << "one at a time";
    EXPECT_EQ(second.error().reason(), "crash reports are installed already");
  });
  EXPECT_EQ(how.code(), 0) << how.text;
}

struct sigaction ours_below;

TEST(crash_report, stays_below_a_later_handler_that_chains_and_passes_on_when_gone) {
  for (const bool again : {false, true}) {
    const ending how = in_child([again] {
      const loaded_crasher library;
      auto guard = std::make_unique<crash_report>(installed());
      struct sigaction later {};
      later.sa_sigaction = [](int number, siginfo_t* info, void* context) {
        const char text[] = "later handler\n";
        (void)!::write(STDERR_FILENO, text, sizeof text - 1);
        ours_below.sa_sigaction(number, info, context);
      };
      later.sa_flags = SA_SIGINFO;
      ::sigaction(SIGSEGV, &later, &ours_below);
      guard.reset();
      if (again) guard = std::make_unique<crash_report>(installed());
      library.get<int(int)>("write_null")(1);
    });
    EXPECT_EQ(how.signal(), SIGSEGV);
    EXPECT_TRUE(says(how.text, "later handler\n"));
    EXPECT_EQ(is_silent(how), !again) << how.text;
  }
}

TEST(crash_report, says_what_it_can_without_symbols_and_lines) {
  const ending how = in_child([] {
    const auto guard = installed({.descriptor = STDERR_FILENO, .source_lines = false});
    const loaded_crasher library;
    library.get<int(int)>("write_null")(1);
  });
  EXPECT_EQ(how.signal(), SIGSEGV);
  EXPECT_TRUE(says(how.text, "function: hidden_writer+0x"));
  EXPECT_EQ(how.text.find("source:"), std::string::npos) << how.text;

  const ending closed = in_child([] {
    const auto guard = installed();
    const loaded_crasher library;
    for (int number = STDERR_FILENO + 1; number < 256; ++number) ::close(number);  // the snapshot among them
    library.get<int(int)>("write_null")(1);
  });
  EXPECT_EQ(closed.signal(), SIGSEGV);
  EXPECT_TRUE(says(closed.text, "function: unknown, at 0x"));
}

TEST(crash_report, writes_where_it_is_told) {
  const test::temporary_directory directory;
  const ending how = in_child([&] {
    const int file = ::open((directory / "report").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    const auto guard = installed({.descriptor = file});
    const loaded_crasher library;
    library.get<int(int)>("write_null")(1);
  });
  EXPECT_EQ(how.signal(), SIGSEGV);
  EXPECT_TRUE(is_silent(how)) << how.text;
  EXPECT_TRUE(says(test::read_file(directory / "report"), "autoreload: SIGSEGV in generation 3"));
}

TEST(crash_report, reports_one_thread_after_the_other) {
  const ending how = in_child([] {
    const auto guard = installed();
    const loaded_crasher library;
    std::atomic<int> waiting{4};
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&] {
        --waiting;
        while (waiting != 0) {
        }
        library.get<int(int)>("write_null")(1);
      });
    }
    for (std::thread& thread : threads) thread.join();
  });
  EXPECT_EQ(how.signal(), SIGSEGV);
  EXPECT_TRUE(says(how.text, "loaded:   0.")) << "at least one report is whole";
}

// The crash hits while the engine's thread is changing the table: readers must neither wait nor read a mixture.
TEST(crash_table, is_read_whole_while_it_is_written) {
  std::jthread writer([](const std::stop_token& stop) {
    const unique_fd none(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    for (std::uint64_t number = 1; !stop.stop_requested(); ++number) {
      const std::string path(static_cast<std::size_t>(number % 200), static_cast<char>('a' + number % 26));
      const std::vector<load_segment> segments{{0, number, 0, number, PF_X}};
      crash_table::remove(crash_table::add(number, path, number << 20, segments, none.get()));
    }
  });
  std::uint64_t whole = 0;
  for (std::size_t round = 0; whole < 500'000; ++round) {
    crash_table::entry one;
    if (!crash_table::read(round % crash_table::capacity, one)) continue;
    ++whole;
    ASSERT_EQ(one.base, one.number << 20);
    ASSERT_EQ(one.image.begin, one.base);
    ASSERT_EQ(one.image.end, one.base + one.number);
    const std::string path = one.path.data();
    ASSERT_EQ(path.size(), one.number % 200);
    ASSERT_TRUE(path.empty() || path.front() == static_cast<char>('a' + one.number % 26));
  }
}

int open_descriptors() {
  int count = 0;
  for (int number = 0; number < 1024; ++number) count += ::fcntl(number, F_GETFD) != -1;
  return count;
}

TEST(crash_table, remembers_a_bounded_number_of_unloaded_generations) {
  const ending how = in_child([] {
    const int before = open_descriptors();
    const unique_fd file(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    const std::vector<load_segment> segments{{0, 4096, 0, 4096, PF_X}};
    for (std::uint64_t number = 1; number <= 1000; ++number) {
      const std::uint64_t ticket = crash_table::add(number, "path", number << 20, segments, file.get());
      ASSERT_NE(ticket, 0U);
      crash_table::remove(ticket);
    }
    EXPECT_EQ(open_descriptors(), before + 1) << "snapshots are not kept while nobody wants reports";
    std::uint64_t oldest = 1000;
    std::size_t known = 0;
    for (std::size_t slot = 0; slot < crash_table::capacity; ++slot) {
      crash_table::entry one;
      if (!crash_table::read(slot, one)) continue;
      ++known;
      oldest = std::min(oldest, one.number);
    }
    EXPECT_EQ(known, crash_table::remembered);
    EXPECT_EQ(oldest, 1000 - crash_table::remembered + 1);
  });
  EXPECT_EQ(how.code(), 0) << how.text;
}

TEST(crash_table, keeps_few_bytes_of_unloaded_snapshots) {
  const ending how = in_child([] {
    const auto guard = installed();
    const int before = open_descriptors();
    const std::vector<load_segment> segments{{0, 4096, 0, 4096, PF_X}};
    for (std::uint64_t number = 1; number <= 10; ++number) {
      const unique_fd large(::memfd_create("large", MFD_CLOEXEC));
      ASSERT_EQ(::ftruncate(large.get(), 30 << 20), 0);
      crash_table::remove(crash_table::add(number, "path", number << 20, segments, large.get()));
    }
    EXPECT_EQ(open_descriptors(), before + 2) << "two of 30 MiB fit into 64 MiB";
  });
  EXPECT_EQ(how.code(), 0) << how.text;
}

// The numbers of the generations that are known of a library.
std::vector<std::uint64_t> known_of(std::string_view path) {
  std::vector<std::uint64_t> numbers;
  crash_table::entry one;
  for (std::size_t slot = 0; slot < crash_table::capacity; ++slot) {
    if (crash_table::read(slot, one) && path == one.path.data()) numbers.push_back(one.number);
  }
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

TEST(crash_table, always_knows_the_newest_generation_of_each_library_when_none_is_ever_unloaded) {
  const ending how = in_child([] {
    const std::vector<load_segment> segments{{0, 4096, 0, 4096, PF_X}};
    EXPECT_NE(crash_table::add(1, "seldom", 0, segments, -1), 0U);
    const std::uint64_t first = crash_table::add(1, "often", 1 << 20, segments, -1);
    for (std::uint64_t number = 2; number <= 200; ++number) {
      ASSERT_NE(crash_table::add(number, "often", number << 20, segments, -1), 0U);
      ASSERT_EQ(known_of("often").back(), number);
    }
    EXPECT_EQ(known_of("seldom"), std::vector<std::uint64_t>{1});
    EXPECT_EQ(known_of("often").size(), crash_table::capacity - 1);
    EXPECT_EQ(known_of("often").front(), 200 - (crash_table::capacity - 2)) << "the oldest are forgotten";
    crash_table::remove(first);
    EXPECT_EQ(known_of("often").size(), crash_table::capacity - 1) << "whoever was forgotten takes nothing along";
  });
  EXPECT_EQ(how.code(), 0) << how.text;
}

TEST(crash_table, gives_no_ticket_to_one_library_too_many_but_to_the_next_generation_of_each) {
  const ending how = in_child([] {
    const std::vector<load_segment> segments{{0, 4096, 0, 4096, PF_X}};
    std::vector<std::uint64_t> tickets;
    for (std::size_t i = 0; i < crash_table::capacity; ++i) {
      tickets.push_back(crash_table::add(1, std::to_string(i) + std::string(i, 'x'), i << 20, segments, -1));
      EXPECT_NE(tickets.back(), 0U);
    }
    EXPECT_EQ(crash_table::add(1, "one too many", 1 << 20, segments, -1), 0U);
    EXPECT_NE(crash_table::add(2, "2xx", 1 << 20, segments, -1), 0U);
    EXPECT_EQ(known_of("2xx"), std::vector<std::uint64_t>{2});
    crash_table::remove(0);
    crash_table::remove(tickets.front());
    EXPECT_NE(crash_table::add(1, "fits again", 1 << 20, segments, -1), 0U);
  });
  EXPECT_EQ(how.code(), 0) << how.text;
}

TEST(crash_table, takes_a_descriptor_for_an_unloaded_generation_only) {
  const ending how = in_child([] {
    const auto guard = installed();
    const std::vector<load_segment> segments{{0, 4096, 0, 4096, PF_X}};
    const unique_fd file(::memfd_create("file", MFD_CLOEXEC));
    const int before = open_descriptors();
    const std::uint64_t ticket = crash_table::add(1, "path", 1 << 20, segments, file.get());
    EXPECT_EQ(open_descriptors(), before);
    crash_table::remove(ticket);
    EXPECT_EQ(open_descriptors(), before + 1);
    crash_table::keep_snapshots(false);
    EXPECT_EQ(open_descriptors(), before);
    EXPECT_NE(::fcntl(file.get(), F_GETFD), -1) << "the generation's own is its own to close";
  });
  EXPECT_EQ(how.code(), 0) << how.text;
}

struct crasher_api {
  required_as<"write_null", int(int)> write_null;
};

TEST(crash_report, names_the_running_generation_after_more_reloads_than_the_table_has_room_for) {
  const ending how = in_child([] {
    const auto guard = installed();
    options chosen;
    chosen.keep_old = true;
    chosen.drive = drive_mode::manual;
    chosen.trust = trust_policy::none();
    reloadable<crasher_api> library(test::built("CRASH_FIXTURES") + "/crasher.so", chosen);
    while (library.generation() <= crash_table::capacity) ASSERT_TRUE(library.reload());
    library->write_null(1);
  });
  EXPECT_EQ(how.signal(), SIGSEGV);
  EXPECT_TRUE(says(how.text, "autoreload: SIGSEGV in generation 65 of"));
  EXPECT_TRUE(says(how.text, "function: hidden_writer+0x"));
}

}  // namespace
}  // namespace autoreload
