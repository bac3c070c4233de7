// SPDX-License-Identifier: MIT
// trial_test: real libraries that crash, exit, throw, hang and worse, each loaded in the real helper.
#include "trial/trial.hpp"

#include <grp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>

#include <algorithm>
#include <atomic>
#include <autoreload/autoreload.hpp>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "safety_support.hpp"
#include "system/unique_fd.hpp"

namespace autoreload {
namespace {

using namespace std::chrono_literals;
using test::ending;
using test::in_child;
using clock = std::chrono::steady_clock;

std::string fixture(const std::string& name) { return test::built("TRIAL_FIXTURES") + "/" + name + ".so"; }

// As a result, for what it says.
result<void> trial(int snapshot, const std::string& path, const trial_options& options) {
  trial_outcome came = trial_load(snapshot, path, options);
  if (came.no) return *std::move(came.no->why);
  return {};
}

result<void> try_out(const std::string& name, const trial_options& options = {}) {
  const unique_fd snapshot(test::copy_to_memory(fixture(name)));
  return trial(snapshot.get(), "build/" + name + ".so", options);
}

std::string refusal(const std::string& name, const trial_options& options = {}) {
  const auto tried = try_out(name, options);
  return tried ? "it passed" : tried.error().reason();
}

trial_options within(std::chrono::milliseconds limit) {
  trial_options options;
  options.policy.time_limit = limit;
  return options;
}

// For the constructors that tell a process number: they write it to a file of this name.
class told_number {
 public:
  told_number() { ::setenv("TRIAL_FIXTURE_FILE", file().c_str(), 1); }
  ~told_number() { ::unsetenv("TRIAL_FIXTURE_FILE"); }
  [[nodiscard]] pid_t get() const { return std::atoi(test::read_file(file()).c_str()); }
  pid_t wait_for() const {
    const auto deadline = clock::now() + 10s;
    while (get() == 0 && clock::now() < deadline) std::this_thread::sleep_for(1ms);
    EXPECT_GT(get(), 0) << "the constructor never ran";
    return get();
  }

 private:
  [[nodiscard]] std::string file() const { return directory_ / "number"; }
  test::temporary_directory directory_;
};

int open_descriptors() {
  const std::filesystem::directory_iterator all("/proc/self/fd");
  return static_cast<int>(std::distance(begin(all), end(all)));
}

TEST(trial, passes_libraries_that_load_and_unload) {
  EXPECT_EQ(refusal("good"), "it passed");
  EXPECT_EQ(refusal("plain_cpp"), "it passed");
}

TEST(trial, names_the_signal_of_a_constructor_that_crashes) {
  const auto tried = try_out("crashes");
  ASSERT_FALSE(tried);
  EXPECT_EQ(tried.error().at(), stage::trial);
  EXPECT_EQ(tried.error().path(), "build/crashes.so");
  EXPECT_EQ(tried.error().reason(), "its constructor died of SIGSEGV");
}

TEST(trial, calls_the_test_that_a_library_exports) {
  const told_number called;
  EXPECT_EQ(refusal("test_passes"), "it passed");
  EXPECT_EQ(called.get(), 1) << "the test ran";
  const auto failed = try_out("test_fails");
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().reason(), "its test \"autoreload_selftest\" answered -7");
  EXPECT_EQ(failed.error().system(), "2 and 2 are 5");
  EXPECT_EQ(refusal("test_crashes").find("its test \"autoreload_selftest\" died of SIGSEGV in "), 0U);
  EXPECT_NE(refusal("test_crashes").find("behaviour.c:"), std::string::npos) << refusal("test_crashes");
  EXPECT_EQ(refusal("test_exits"), "it called exit(0) while it was being tested");
  EXPECT_EQ(refusal("test_hangs", within(200ms)), "its test \"autoreload_selftest\" did not finish in 200 ms");
}

TEST(trial, calls_the_test_that_the_host_names_instead) {
  const told_number called;
  trial_options named;
  named.policy.smoke = "check";
  EXPECT_EQ(refusal("test_passes", named), "it passed");
  EXPECT_EQ(called.get(), 2);
  EXPECT_EQ(refusal("test_crashes", named).find("its test \"check\" died of SIGSEGV"), 0U);
  EXPECT_EQ(refusal("good", named), "it has no function \"check\" to be tested by");
}

TEST(trial, tells_an_exit_and_shows_what_the_library_said_before) {
  const auto tried = try_out("exits");
  ASSERT_FALSE(tried);
  EXPECT_EQ(tried.error().reason(), "it called exit(3) while it was being loaded");
  EXPECT_EQ(tried.error().system(), "configuration file not found");
  EXPECT_EQ(refusal("exits_quietly"), "it called exit(0) while it was being loaded");
}

TEST(trial, tells_an_exception_from_an_abort) {
  const auto thrown = try_out("throws");
  ASSERT_FALSE(thrown);
  EXPECT_EQ(thrown.error().reason(), "its constructor threw an exception that nobody caught (SIGABRT)");
  EXPECT_NE(thrown.error().system().find("no settings file"), std::string::npos) << thrown.error().system();
  EXPECT_EQ(refusal("aborts"), "its constructor died of SIGABRT");
}

TEST(trial, keeps_the_end_of_a_long_standard_error) {
  const auto tried = try_out("aborts");
  ASSERT_FALSE(tried);
  const std::string& text = tried.error().system();
  EXPECT_LE(text.size(), 1024U);
  EXPECT_GT(text.size(), 1000U);
  EXPECT_TRUE(text.ends_with("line 98 of a long complaint\nline 99 of a long complaint")) << text;
}

TEST(trial, gives_up_on_a_constructor_that_hangs_and_kills_it) {
  const told_number number;
  const auto start = clock::now();
  EXPECT_EQ(refusal("hangs", within(300ms)), "its constructor did not finish in 300 ms");
  EXPECT_GE(clock::now() - start, 300ms);
  ASSERT_GT(number.get(), 0);
  EXPECT_TRUE(test::ends_within(number.get(), 10'000));
}

TEST(trial, gives_up_on_a_library_that_stops_its_process) {
  EXPECT_EQ(refusal("stops_itself", within(300ms)), "its constructor did not finish in 300 ms");
}

TEST(trial, refuses_a_destructor_that_crashes_unless_told_not_to_unload) {
  EXPECT_EQ(refusal("crashes_at_unload").find("its destructor died of SIGSEGV in "), 0U);
  trial_options options;
  options.policy.destructors = false;
  EXPECT_EQ(refusal("crashes_at_unload", options), "it passed");
}

TEST(trial, leaves_a_missing_host_symbol_to_the_real_load) { EXPECT_EQ(refusal("needs_host"), "it passed"); }

TEST(trial, leaves_a_file_that_is_no_library_to_the_real_load) {
  const test::temporary_directory directory;
  test::write_file(directory / "text", "not a library\n");
  const unique_fd snapshot(test::copy_to_memory(directory / "text"));
  EXPECT_TRUE(trial(snapshot.get(), directory / "text", {}));
}

TEST(trial, kills_the_children_of_a_constructor) {
  const told_number number;
  EXPECT_EQ(refusal("leaves_child"), "it passed");
  ASSERT_GT(number.get(), 0);
  EXPECT_TRUE(test::ends_within(number.get(), 10'000));
}

TEST(trial, limits_memory) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "sanitizers reserve more memory than any limit allows";
#endif
  trial_options options;
  options.policy.memory_limit = 256 << 20;
  EXPECT_EQ(refusal("eats_memory", options), "it called exit(9) while it was being loaded");
}

TEST(trial, looks_symbols_up_and_tells_which_one_crashed) {
  EXPECT_EQ(refusal("crashes_at_lookup"), "it passed");
  trial_options options;
  options.symbols = {"answer", "indirect"};
  EXPECT_EQ(refusal("crashes_at_lookup", options), "the resolver of its symbol \"indirect\" died of SIGILL");
  options.symbols = {"no_such_symbol"};
  EXPECT_EQ(refusal("good", options), "it passed");
}

TEST(trial, loads_dependencies_first) {
  const ending how = in_child([] {
    ::unsetenv("LD_LIBRARY_PATH");  // a test runner may set it, and so lead to the dependency
    EXPECT_EQ(refusal("dependent"), "it passed") << "nothing leads to its dependency";
    trial_options options;
    options.dependencies = {test::built("TRIAL_FIXTURES") + "/libtrial_dependency.so"};
    EXPECT_EQ(refusal("dependent", options), "it called exit(7) while it was being loaded");
    options.dependencies.push_back(fixture("crashes"));
    EXPECT_EQ(refusal("good", options),
              "a constructor of its dependency \"" + fixture("crashes") + "\" died of SIGSEGV");
  });
  EXPECT_EQ(how.code(), 0) << how.text;
}

TEST(trial, loads_by_name_when_the_snapshot_has_one) {
  const unique_fd snapshot(test::copy_to_memory(fixture("good")));
  trial_options options;
  options.load_path = fixture("crashes");
  const auto tried = trial(snapshot.get(), "library", options);
  ASSERT_FALSE(tried);
  EXPECT_EQ(tried.error().reason(), "its constructor died of SIGSEGV");
}

TEST(trial, starts_the_helper_with_clean_surroundings) {
  const ending how = in_child([] {
    ::signal(SIGCHLD, SIG_IGN);
    ::signal(SIGPIPE, SIG_IGN);
    ::signal(SIGINT, SIG_IGN);
    sigset_t all;
    sigfillset(&all);
    ::sigprocmask(SIG_SETMASK, &all, nullptr);
    const int inherited = ::open("/dev/null", O_RDONLY);  // without O_CLOEXEC
    EXPECT_GE(inherited, 0);
    EXPECT_EQ(refusal("checks_surroundings"), "it passed");
    sigset_t after;
    ::sigprocmask(SIG_SETMASK, nullptr, &after);
    EXPECT_EQ(sigismember(&after, SIGTERM), 1);
  });
  EXPECT_EQ(how.code(), 0) << how.text;
  EXPECT_EQ(how.text.find("nobody should see this"), std::string::npos);
}

TEST(trial, survives_a_constructor_that_closes_all_descriptors) {
  EXPECT_EQ(refusal("closes_everything"), "it passed");
}

TEST(trial, keeps_the_snapshot_from_the_constructors_hands) {
  const unique_fd snapshot(test::copy_to_memory(fixture("spoils_descriptors")));
  const auto tried = trial(snapshot.get(), "library", {});
  EXPECT_TRUE(tried) << tried.error().what();
  struct stat status {};
  ASSERT_EQ(::fstat(snapshot.get(), &status), 0);
  EXPECT_EQ(static_cast<std::size_t>(status.st_size), test::read_file(fixture("spoils_descriptors")).size());
}

TEST(trial, works_in_a_host_without_standard_streams) {
  const ending how = in_child([] {
    const int report = ::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 10);
    for (const int stream : {0, 1, 2}) ::close(stream);
    const auto tried = try_out("exits");  // the snapshot becomes descriptor 0
    ::dup2(report, STDERR_FILENO);
    ASSERT_FALSE(tried);
    EXPECT_EQ(tried.error().reason(), "it called exit(3) while it was being loaded");
    EXPECT_EQ(tried.error().system(), "configuration file not found");
  });
  EXPECT_EQ(how.code(), 0) << how.text;
}

TEST(trial, leaves_no_descriptors_and_no_children) {
  (void)try_out("good");  // makes what is made once
  const int before = open_descriptors();
  for (int i = 0; i < 10; ++i) (void)try_out(i % 2 == 0 ? "good" : "crashes");
  EXPECT_EQ(open_descriptors(), before);
  EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG | static_cast<int>(__WALL)), -1);
  EXPECT_EQ(errno, ECHILD);
}

volatile sig_atomic_t children_heard = 0;

TEST(trial, raises_no_sigchld_and_is_seen_by_no_wait_of_the_host) {
#if defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "this sanitizer knows no other child than fork's";
#endif
  const ending how = in_child([] {
    struct sigaction action {};
    action.sa_handler = [](int) { children_heard = children_heard + 1; };
    ::sigaction(SIGCHLD, &action, nullptr);
    int gate[2];
    ASSERT_EQ(::pipe(gate), 0);
    const pid_t own = ::fork();
    if (own == 0) {
      ::close(gate[1]);
      char byte;
      ::_exit(::read(gate[0], &byte, 1) == 0 ? 5 : 6);
    }
    pid_t reaped = 0;
    int status = 0;
    std::thread waiter([&] {
      while ((reaped = ::wait(&status)) < 0 && errno == EINTR) {
      }
    });
    EXPECT_EQ(refusal("good"), "it passed");
    EXPECT_EQ(refusal("crashes"), "its constructor died of SIGSEGV");
    EXPECT_EQ(refusal("hangs", within(300ms)), "its constructor did not finish in 300 ms");
    EXPECT_EQ(children_heard, 0);
    ::close(gate[1]);
    waiter.join();
    EXPECT_EQ(reaped, own);
    EXPECT_EQ(WEXITSTATUS(status), 5);
  });
  EXPECT_EQ(how.code(), 0) << how.text;
}

TEST(trial, works_when_the_host_ignores_sigchld) {
  for (const bool no_wait : {false, true}) {
    const ending how = in_child([no_wait] {
      struct sigaction action {};
      action.sa_handler = no_wait ? SIG_DFL : SIG_IGN;
      action.sa_flags = no_wait ? SA_NOCLDWAIT : 0;
      ::sigaction(SIGCHLD, &action, nullptr);
      EXPECT_EQ(refusal("good"), "it passed");
      EXPECT_EQ(refusal("exits"), "it called exit(3) while it was being loaded");
    });
    EXPECT_EQ(how.code(), 0) << how.text;
  }
}

TEST(trial, dies_with_the_host) {
  const told_number number;
  const pid_t host = ::fork();
  if (host == 0) {
    (void)try_out("hangs", within(60s));
    ::_exit(0);
  }
  const pid_t helper = number.wait_for();
  ::kill(host, SIGKILL);
  EXPECT_EQ(::waitpid(host, nullptr, 0), host);
  EXPECT_TRUE(test::ends_within(helper, 10'000));
}

TEST(trial, is_given_up_when_its_caller_stops) {
  const told_number number;
  int stop[2];
  ASSERT_EQ(::pipe2(stop, O_CLOEXEC), 0);
  std::thread stopper([&] {
    number.wait_for();
    ::close(stop[1]);
  });
  trial_options options = within(60s);
  options.cancel = stop[0];
  EXPECT_EQ(refusal("hangs", options), "the trial load was given up, because its caller stops");
  stopper.join();
  ::close(stop[0]);
}

TEST(trial, does_not_hold_up_the_end_of_its_engine) {
  struct answer_api {
    required_as<"answer", int()> answer;
  };
  const test::temporary_directory directory;
  const told_number number;
  options chosen;
  chosen.trial.enabled = true;
  chosen.trial.time_limit = 10min;
  event_queue events;
  chosen.observer = events.observer();
  {
    reloadable<answer_api> library(directory / "lib.so", chosen);
    std::filesystem::copy_file(fixture("hangs"), directory / "new.so");
    std::filesystem::rename(directory / "new.so", directory / "lib.so");
    number.wait_for();
  }  // hangs here for ten minutes, or not
  EXPECT_TRUE(test::ends_within(number.get(), 30'000));
  while (const auto happened = events.next())
    EXPECT_NE(happened->kind, event_kind::refused) << happened->failure->what();
}

TEST(trial, runs_in_many_threads_at_once) {
  std::vector<std::thread> threads;
  std::atomic<int> wrong{0};
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&wrong, i] {
      for (int round = 0; round < 10; ++round) {
        if (i % 2 == 0) {
          wrong += refusal("good") != "it passed";
        } else {
          wrong += refusal("exits") != "it called exit(3) while it was being loaded";
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

TEST(trial, takes_odd_time_limits) {
  EXPECT_EQ(refusal("good", within(std::chrono::milliseconds::max())), "it passed");
  EXPECT_NE(refusal("hangs", within(-5ms)).find("did not finish"), std::string::npos);
}

TEST(trial, makes_the_helper_again_when_the_host_has_closed_it) {
  const ending how = in_child([] {
    EXPECT_EQ(refusal("good"), "it passed");
    for (int number = STDERR_FILENO + 1; number < 1024; ++number) ::close(number);
    for (int i = 0; i < 8; ++i) EXPECT_GE(::open("/bin/false", O_RDONLY | O_CLOEXEC), 0);
    EXPECT_EQ(refusal("exits"), "it called exit(3) while it was being loaded");
  });
  EXPECT_EQ(how.code(), 0) << how.text;
}

TEST(trial, runs_another_helper_when_the_environment_names_one) {
  const ending how = in_child([] {
    ::setenv("AUTORELOAD_TRIAL_HELPER", test::built("TRIAL_HELPER").c_str(), 1);
    EXPECT_EQ(refusal("exits"), "it called exit(3) while it was being loaded");
    ::setenv("AUTORELOAD_TRIAL_HELPER", "/bin/true", 1);
    EXPECT_EQ(refusal("good"), "the trial helper ended with status 0 before it began");
    ::setenv("AUTORELOAD_TRIAL_HELPER", fixture("throws").c_str(), 1);
    EXPECT_NE(refusal("good"), "it passed");
    ::setenv("AUTORELOAD_TRIAL_HELPER", "/nonexistent/helper", 1);
    const auto tried = try_out("good");
    ASSERT_FALSE(tried);
    EXPECT_EQ(tried.error().reason(), "the trial helper can't be opened");
    EXPECT_NE(tried.error().advice().find("/nonexistent/helper"), std::string::npos);
  });
  EXPECT_EQ(how.code(), 0) << how.text;
}

TEST(trial, runs_for_an_ordinary_user) {
  if (::geteuid() != 0) GTEST_SKIP() << "already an ordinary user: every other test shows it";
  const ending how = in_child([] {
    const unique_fd good(test::copy_to_memory(fixture("good")));
    const unique_fd exits(test::copy_to_memory(fixture("exits")));
    ASSERT_EQ(::setgroups(0, nullptr), 0);
    ASSERT_EQ(::setresgid(54321, 54321, 54321), 0);
    ASSERT_EQ(::setresuid(54321, 54321, 54321), 0);
    EXPECT_TRUE(trial(good.get(), "good", {}));
    EXPECT_FALSE(trial(exits.get(), "exits", {}));
  });
  EXPECT_EQ(how.code(), 0) << how.text;
}

std::function<void()> while_the_helper_is_made;

// As if a daemon had closed it: it is made again.
void close_the_helper() {
  for (int file = 0; file < 1024; ++file) {
    const std::string link = "/proc/self/fd/" + std::to_string(file);
    std::error_code none;
    const std::string target = std::filesystem::read_symlink(link, none).string();
    if (target.starts_with("/memfd:autoreload-trial")) ::close(file);
  }
}

TEST(trial, works_in_a_child_that_was_forked_while_another_thread_made_the_helper) {
#if defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "the thread sanitizer has its own view of forks";
#endif
  const ending how = in_child([] {
    static std::atomic<bool> making, forking, forked;
    close_the_helper();
    while_the_helper_is_made = [] {
      // Registered last, so fork runs the first of them before it waits for anybody, and the second at its end.
      ::pthread_atfork([] { forking = true; }, [] { forked = true; }, nullptr);
      making = true;
      while (!forking) std::this_thread::yield();
      const auto deadline = clock::now() + 200ms;  // who is waited for has to go on at last
      while (!forked && clock::now() < deadline) std::this_thread::yield();
    };
    std::thread other([] { EXPECT_EQ(refusal("good"), "it passed"); });
    while (!making) std::this_thread::yield();
    const ending child = in_child([] { EXPECT_EQ(refusal("good"), "it passed"); });
    other.join();
    EXPECT_EQ(child.code(), 0) << child.text;
  });
  EXPECT_EQ(how.code(), 0) << how.text;
}

TEST(trial, says_so_when_there_is_no_proc) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "sanitizers need /proc themselves";
#endif
  bool possible = true;
  const ending how = in_child([&] {
    possible = ::unshare(CLONE_NEWNS) == 0 && ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
               ::mount("none", "/proc", "tmpfs", 0, nullptr) == 0;
    if (!possible) ::_exit(77);
    const auto tried = try_out("good");
    ASSERT_FALSE(tried);
    EXPECT_EQ(tried.error().reason(), "the trial helper can't reach the snapshot");
    EXPECT_NE(tried.error().advice().find("/proc"), std::string::npos);
    trial_options options;
    options.load_path = fixture("exits");  // a snapshot in a file needs none
    EXPECT_EQ(refusal("good", options), "it called exit(3) while it was being loaded");
  });
  if (how.code() == 77) GTEST_SKIP() << "needs the right to mount";
  EXPECT_EQ(how.code(), 0) << how.text;
}

TEST(trial, says_so_when_the_kernel_forbids_executables_in_memory) {
  const ending how = in_child([] {
    if (::unshare(CLONE_NEWPID) != 0) ::_exit(77);
    const ending inner = in_child([] {  // the first process of a new namespace, which has a setting of its own
      for (int number = STDERR_FILENO + 1; number < 1024; ++number) ::close(number);  // a helper made before
      const int setting = ::open("/proc/sys/vm/memfd_noexec", O_WRONLY | O_CLOEXEC);
      if (setting < 0 || ::write(setting, "2", 1) != 1) ::_exit(77);
      ::close(setting);
      const int snapshot = ::open(fixture("good").c_str(), O_RDONLY | O_CLOEXEC);
      const auto tried = trial(snapshot, "good", {});
      ASSERT_FALSE(tried);
      EXPECT_NE(tried.error().advice().find("vm.memfd_noexec=2"), std::string::npos) << tried.error().what();
      ::setenv("AUTORELOAD_TRIAL_HELPER", test::built("TRIAL_HELPER").c_str(), 1);
      const auto again = trial(snapshot, "good", {});
      EXPECT_TRUE(again) << again.error().what();
    });
    if (!inner.text.empty()) std::fputs(inner.text.c_str(), stderr);
    std::fflush(nullptr);
    ::_exit(inner.code());
  });
  if (how.code() == 77) GTEST_SKIP() << "needs the right to make a namespace, and Linux 6.3";
  EXPECT_EQ(how.code(), 0) << how.text;
}

// The fastest of many: what a busy machine adds is not asked for.
clock::duration fastest(int rounds, const std::function<void()>& work) {
  clock::duration best = clock::duration::max();
  for (int i = 0; i < rounds; ++i) {
    const auto start = clock::now();
    work();
    best = std::min(best, clock::now() - start);
  }
  return best;
}

// A plain fork, which copies the page tables, shows that the memory is there to be felt.
TEST(trial, costs_the_same_in_a_large_host) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "times of an instrumented host tell nothing";
#endif
  const unique_fd snapshot(test::copy_to_memory(fixture("good")));
  const auto once = [&] { EXPECT_TRUE(trial(snapshot.get(), "good", {})); };
  const auto fork = [] {
    const pid_t child = ::fork();
    if (child == 0) ::_exit(0);
    ::waitpid(child, nullptr, 0);
  };
  const auto small = fastest(50, once);
  const auto small_fork = fastest(20, fork);
  constexpr std::size_t size = std::size_t{512} << 20;
  void* const memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(memory, MAP_FAILED);
  ::madvise(memory, size, MADV_NOHUGEPAGE);
  std::memset(memory, 1, size);
  const auto large = fastest(50, once);
  const auto large_fork = fastest(10, fork);
  ::munmap(memory, size);
  EXPECT_GT(large_fork, 3 * small_fork) << "the memory is not felt, so this test shows nothing";
  EXPECT_LT(large, 2 * small + 500us);
  const auto microseconds = [](clock::duration time) { return static_cast<int>(time / 1us); };
  RecordProperty("small_host_us", microseconds(small));
  RecordProperty("large_host_us", microseconds(large));
  RecordProperty("large_host_fork_us", microseconds(large_fork));
}

}  // namespace
}  // namespace autoreload

// Stands in for the C library's, so that a test can be there when the helper's file is made.
extern "C" int memfd_create(const char* name, unsigned flags) noexcept {
  if (std::string_view(name) == "autoreload-trial") {
    if (const auto meanwhile = std::exchange(autoreload::while_the_helper_is_made, nullptr)) meanwhile();
  }
  return static_cast<int>(::syscall(SYS_memfd_create, name, flags));
}
