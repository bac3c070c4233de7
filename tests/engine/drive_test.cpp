// SPDX-License-Identifier: MIT
// drive_test: who does the work, and when: the owner in manual drive, one thread for all in the background.
#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <ctime>
#include <functional>
#include <memory>

#include "engine_support.hpp"
#include "hook.hpp"
#include "system/unique_fd.hpp"

using namespace std::chrono_literals;
using autoreload::event_kind;
using support::library;
using support::on_hook;
using support::put;
using support::worker_api;

namespace {

bool readable(int file, std::chrono::milliseconds limit) {
  pollfd source{file, POLLIN, 0};
  return poll(&source, 1, static_cast<int>(limit.count())) == 1 && (source.revents & POLLIN) != 0;
}

// Polls as an event loop would, until the condition holds.
template <class Condition>
bool loops_until(library& lib, Condition condition) {
  while (!condition()) {
    if (!readable(lib.descriptor(), support::patience)) return false;
    lib.poll();
  }
  return true;
}

// ---- manual

class ManualDrive : public support::EngineTest {};

TEST_F(ManualDrive, DoesNothingUntilPollIsCalled) {
  put(path_, 1);
  library lib(path_, manual());
  put(path_, 2);
  ASSERT_TRUE(readable(lib.descriptor(), support::patience));
  EXPECT_EQ(lib->stamp(), 1U);
  EXPECT_EQ(lib.generation(), 1U);
  EXPECT_EQ(kinds(), "loaded");
  lib.poll();
  EXPECT_EQ(lib->stamp(), 2U);
  EXPECT_EQ(kinds(), "loaded unloaded");
  put(path_, 3);
  lib.poll(1h);
  EXPECT_EQ(lib->stamp(), 3U);
  EXPECT_EQ(kinds(), "loaded");  // in a frame loop, what nobody waits for comes later
  ASSERT_TRUE(readable(lib.descriptor(), support::patience));
  lib.poll(1h);
  EXPECT_EQ(kinds(), "unloaded");
}

TEST_F(ManualDrive, TellsARefusalOnceThoughAnotherWasForTheContents) {
  put(path_, 1);
  autoreload::options chosen = manual();
  chosen.watch = autoreload::watch_mode::polling;
  chosen.poll_interval = 1ms;
  library lib(path_, chosen);
  support::write_file(path_ + ".new", "no library");
  std::filesystem::rename(path_ + ".new", path_);
  ASSERT_TRUE(loops_until(lib, [&] { return lib.last_failure().has_value(); }));
  std::filesystem::permissions(path_, std::filesystem::perms(0666));
  ASSERT_TRUE(loops_until(
      lib, [&] { return std::string(lib.last_failure()->what()).find("everybody may write") != std::string::npos; }));
  for (int looks = 0; looks < 20; ++looks)
    ASSERT_TRUE(loops_until(lib, [&, first = true]() mutable { return !std::exchange(first, false); }));
  EXPECT_EQ(kinds(), "loaded refused refused");
}

TEST_F(ManualDrive, HasNoThread) {
  put(path_, 1);
  const std::size_t before = support::threads();
  std::vector<std::unique_ptr<library>> many;
  for (int i = 0; i < 10; ++i) many.push_back(std::make_unique<library>(path_, manual()));
  put(path_, 2);
  for (const auto& lib : many) {
    lib->poll();
    EXPECT_EQ((*lib)->stamp(), 2U);
  }
  EXPECT_LE(support::threads(), before);  // one that was joined may only now be gone
}

TEST_F(ManualDrive, FitsAFrameLoop) {
  put(path_, 1);
  library lib(path_, manual());
  std::uint64_t build = 1;
  for (int frame = 0; frame < 60; ++frame) {
    if (frame % 10 == 5) put(path_, ++build);
    lib.poll();
    EXPECT_EQ(lib->stamp(), build) << "in frame " << frame;
  }
  EXPECT_EQ(lib.generation(), 7U);
}

TEST_F(ManualDrive, TheDescriptorIsQuietWhenThereIsNothingToDo) {
  put(path_, 1);
  library lib(path_, manual());
  // Other files that come and go in the directories on the way wake it, too; and so it isn't quiet at once.
  const auto grows_quiet = [&] {
    return support::comes_true([&] {
      lib.poll();
      return !readable(lib.descriptor(), 0ms);
    });
  };
  EXPECT_TRUE(grows_quiet());
  put(path_, 2);
  ASSERT_TRUE(loops_until(lib, [&] { return lib->stamp() == 2; }));
  EXPECT_TRUE(grows_quiet());
}

// Until then nothing is told to it.
TEST_F(ManualDrive, TheDescriptorTellsALoopThatAsksForItLate) {
  put(path_, 1);
  library lib(path_, manual());
  for (std::uint64_t build = 2; build < 5; ++build) {
    put(path_, build);
    lib.poll(1us);  // what is left to do is not told
  }
  EXPECT_TRUE(loops_until(lib, [&] { return lib->stamp() == 4; }));
  std::uint64_t unloaded = 0;
  EXPECT_TRUE(loops_until(lib, [&] {
    while (const auto one = events_.next()) unloaded += one->kind == event_kind::unloaded;
    return unloaded + 1 == lib.generation();
  }));
}

TEST_F(ManualDrive, TheDescriptorJoinsAnEpoll) {
  put(path_, 1);
  library lib(path_, manual());
  const autoreload::unique_fd loop(epoll_create1(EPOLL_CLOEXEC));
  epoll_event interest{EPOLLIN | EPOLLET, {.ptr = &lib}};
  ASSERT_EQ(epoll_ctl(loop.get(), EPOLL_CTL_ADD, lib.descriptor(), &interest), 0);
  for (std::uint64_t build = 2; build < 5; ++build) {
    put(path_, build);
    while (lib->stamp() != build) {
      epoll_event happened{};
      ASSERT_EQ(epoll_wait(loop.get(), &happened, 1, 30'000), 1);
      static_cast<library*>(happened.data.ptr)->poll();
    }
  }
}

TEST_F(ManualDrive, TheDescriptorWakesForPollingsInterval) {
  put(path_, 1);
  autoreload::options chosen = manual();
  chosen.watch = autoreload::watch_mode::polling;
  chosen.poll_interval = 5ms;
  library lib(path_, chosen);
  EXPECT_EQ(lib.watching(), autoreload::watch_mode::polling);
  for (std::uint64_t build = 2; build < 5; ++build) {
    put(path_, build);
    EXPECT_TRUE(loops_until(lib, [&] { return lib->stamp() == build; }));
  }
}

TEST_F(ManualDrive, PollingLooksNoEarlierThanItsInterval) {
  put(path_, 1);
  autoreload::options chosen = manual();
  chosen.watch = autoreload::watch_mode::polling;
  chosen.poll_interval = 1h;
  library lib(path_, chosen);
  put(path_, 2);
  lib.poll();
  EXPECT_EQ(lib->stamp(), 1U);
  EXPECT_TRUE(lib.reload());
  EXPECT_EQ(lib->stamp(), 2U);
}

TEST_F(ManualDrive, TheDescriptorWakesForAPendingRetirement) {
  put(path_, 1);
  library lib(path_, manual());
  auto pin = lib.pin();
  put(path_, 2);
  ASSERT_TRUE(loops_until(lib, [&] { return lib->stamp() == 2; }));
  EXPECT_EQ(kinds(), "loaded loaded");
  pin.release();
  ASSERT_TRUE(loops_until(lib, [&] { return events_.next(event_kind::unloaded, 0ms).has_value(); }));
}

TEST_F(ManualDrive, TheDescriptorWakesToReportAMissingLibrary) {
  put(path_, 1);
  library lib(path_, manual());
  std::filesystem::remove(path_);
  EXPECT_TRUE(loops_until(lib, [&] { return events_.next(event_kind::waiting, 0ms).has_value(); }));
}

TEST_F(ManualDrive, TheDescriptorWakesForWhatChangedDuringAPause) {
  put(path_, 1);
  library lib(path_, manual());
  lib.pause();
  put(path_, 2);
  lib.poll();  // takes the event from the kernel
  lib.resume();
  EXPECT_TRUE(loops_until(lib, [&] { return lib->stamp() == 2; }));
}

TEST_F(ManualDrive, TheDescriptorWakesForAWriterThatIsDone) {
  put(path_, 1);
  library lib(path_, manual());
  {
    std::ofstream writer(path_, std::ios::binary | std::ios::trunc);
    writer << support::stamped(libraries::plain, 2);
    writer.flush();
    lib.poll();
    EXPECT_EQ(lib->stamp(), 1U);
  }
  EXPECT_TRUE(loops_until(lib, [&] { return lib->stamp() == 2; }));
}

// ---- background

class BackgroundDrive : public support::EngineTest {
 protected:
  // The service's thread; 0 when there is none.
  static pid_t service_thread() {
    for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
      if (support::read_file(task.path() / "comm") == "autoreload\n") return std::stoi(task.path().filename());
    }
    return 0;
  }
  static std::chrono::nanoseconds time_used_by(pid_t thread) {
    const auto clock = static_cast<clockid_t>((~static_cast<unsigned>(thread) << 3U) | 6U);  // as the kernel codes it
    timespec used{};
    EXPECT_EQ(clock_gettime(clock, &used), 0);
    return std::chrono::seconds(used.tv_sec) + std::chrono::nanoseconds(used.tv_nsec);
  }
};

TEST_F(BackgroundDrive, OneThreadServesFiftyLibraries) {
  pid_t first = 0;
  std::thread([&] { first = gettid(); }).join();  // with the first one a sanitizer starts one of its own
  // A thread is joined a moment before the kernel has forgotten it.
  ASSERT_TRUE(
      support::comes_true([&] { return !std::filesystem::exists("/proc/self/task/" + std::to_string(first)); }));
  const std::size_t before = support::threads();
  std::vector<std::unique_ptr<library>> many;
  const auto path_of = [&](std::size_t i) { return directory_ / ("lib" + std::to_string(i) + ".so"); };
  for (std::size_t i = 0; i < 50; ++i) {
    put(path_of(i), i);
    many.push_back(std::make_unique<library>(path_of(i), background()));
  }
  EXPECT_EQ(support::threads(), before + 1);
  EXPECT_NE(service_thread(), 0);
  EXPECT_EQ(many.front()->descriptor(), -1);
  for (std::size_t i = 0; i < 50; ++i) put(path_of(i), 100 + i);
  for (std::size_t i = 0; i < 50; ++i) expect(event_kind::unloaded);
  for (std::size_t i = 0; i < 50; ++i) EXPECT_EQ((*many[i])->stamp(), 100 + i);
  many.clear();
  EXPECT_TRUE(support::comes_true([&] { return support::threads() == before; }))
      << "the last one takes the thread along";
}

// Puts threads on one processor, where a second one comes on when the first one waits, for the time of a test.
class one_processor {
 public:
  explicit one_processor(pid_t second) : second_(second) {
    sched_getaffinity(0, sizeof before_, &before_);
    cpu_set_t here;
    CPU_ZERO(&here);
    CPU_SET(sched_getcpu(), &here);
    sched_setaffinity(0, sizeof here, &here);
    sched_setaffinity(second_, sizeof here, &here);
    const sched_param none{};
    sched_setscheduler(second_, SCHED_BATCH, &none);  // preempts nobody when it is woken
  }
  ~one_processor() {
    sched_setaffinity(0, sizeof before_, &before_);
    sched_setaffinity(second_, sizeof before_, &before_);
  }
  one_processor(const one_processor&) = delete;
  one_processor& operator=(const one_processor&) = delete;

 private:
  pid_t second_;
  cpu_set_t before_;
};

// A change that comes while the thread is only just getting to know the library must not be lost.
TEST_F(BackgroundDrive, AChangeRightAfterTheConstructorIsSeen) {
  const support::temp_directory quiet("/dev/shm");  // other files of the directories on the way would wake the thread
  const std::string path = quiet / "lib.so";
  const std::string other_path = quiet / "other.so";
  put(other_path, 0);
  const library keeps_the_thread(other_path);
  const one_processor alone(service_thread());
  put(path, 0);
  const std::vector<std::string> builds{support::stamped(libraries::plain, 1), support::stamped(libraries::plain, 2)};
  for (std::size_t round = 0; round < 50; ++round) {
    support::write_file(path + ".new", builds[(round + 1) % 2]);
    const library lib(path, background());
    const std::uint64_t now = lib->stamp();
    std::filesystem::rename(path + ".new", path);  // nothing after it that could wake the thread once more
    while (lib->stamp() == now) ASSERT_TRUE(events_.next(event_kind::loaded, 10s)) << "in round " << round;
  }
}

TEST_F(BackgroundDrive, PollIsHarmless) {
  put(path_, 1);
  library lib(path_, background());
  lib.poll();
  put(path_, 2);
  lib.poll();
  EXPECT_EQ(expect(event_kind::unloaded).generation, 1U);
}

// A signal to the process is for the host's own threads.
TEST_F(BackgroundDrive, TheThreadTakesNoSignals) {
  put(path_, 1);
  const library lib(path_, background());
  const auto blocked = [&] {
    std::ifstream status("/proc/self/task/" + std::to_string(service_thread()) + "/status");
    std::string line;
    while (std::getline(status, line) && !line.starts_with("SigBlk:")) {
    }
    return std::stoul(line.substr(7), nullptr, 16);
  };
  const auto bits = [](std::initializer_list<int> signals) {
    unsigned long mask = 0;
    for (const int signal : signals) mask |= 1UL << (signal - 1);
    return mask;
  };
  const unsigned long faults = bits({SIGSEGV, SIGBUS, SIGILL, SIGFPE});
  EXPECT_TRUE(support::comes_true([&] { return (blocked() & faults) == 0; })) << "it starts with all blocked";
  const unsigned long others = bits({SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGCHLD, SIGALRM, SIGIO, SIGURG});
  EXPECT_EQ(blocked() & others, others);
}

TEST_F(BackgroundDrive, TheThreadSleepsWhileAnotherOneLoads) {
  put(path_, 1);
  library lib(path_, background());
  lib.pause();
  const auto pin = lib.pin();  // so that there is something to retire, again and again
  ASSERT_TRUE(lib.reload());
  const pid_t thread = service_thread();
  ASSERT_NE(thread, 0);
  std::chrono::nanoseconds used{};
  on_hook = [&](std::string_view where) {
    if (where != "constructor") return;
    const auto before = time_used_by(thread);
    std::this_thread::sleep_for(400ms);  // what a slow constructor does
    used = time_used_by(thread) - before;
  };
  ASSERT_TRUE(lib.reload());
  on_hook = nullptr;
  EXPECT_LT(used, 100ms);
}

TEST_F(BackgroundDrive, ALibraryThatLoadsSlowlyHoldsUpNoCalls) {
  put(path_, 1);
  const std::string other_path = directory_ / "other.so";
  put(other_path, 1);
  library lib(path_, background());
  const library other(other_path);
  std::promise<void> entered;
  std::promise<void> leave;
  on_hook = [&](std::string_view where) {
    if (where != "constructor") return;
    entered.set_value();
    leave.get_future().wait();
  };
  put(path_, 2);
  entered.get_future().wait();
  std::thread([&] {  // a thread that is new to the library
    EXPECT_EQ(lib->stamp(), 1U);
    EXPECT_EQ(other->stamp(), 1U);
    EXPECT_EQ(lib.generation(lib.pin()), 1U);
    EXPECT_EQ(lib.last_failure(), std::nullopt);
  })
      .join();
  on_hook = nullptr;
  leave.set_value();
  EXPECT_EQ(expect(event_kind::unloaded).generation, 1U);
}

// ---- when the system has nothing left

// As a user of its own, whose limit is nobody else's.
class Shortage : public support::EngineTest {
 protected:
  static constexpr uid_t nobody_else = 54'321;
  Shortage() : EngineTest(support::open_to_all()) {}
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "only root can become another user";
    ASSERT_EQ(chown(directory_.path().c_str(), nobody_else, nobody_else), 0);
  }
};

TEST_F(Shortage, WithoutInotifyItPolls) {
  // Read by root: another user may have no way to the build directory.
  const std::string first = support::stamped(libraries::plain, 1);
  const std::string second = support::stamped(libraries::plain, 2);
  support::in_child([&] {
    ASSERT_EQ(setresuid(nobody_else, nobody_else, nobody_else), 0);
    put(path_, first);
    std::vector<autoreload::unique_fd> taken;
    while (taken.empty() || taken.back()) taken.emplace_back(inotify_init1(IN_CLOEXEC));
    autoreload::options chosen = manual();
    chosen.poll_interval = 5ms;
    library lib(path_, chosen);
    EXPECT_EQ(lib.watching(), autoreload::watch_mode::polling);
    EXPECT_TRUE(loops_until(lib, [&] { return lib.loaded(); }));
    EXPECT_EQ(kinds(), "warning loaded");
    put(path_, second);
    EXPECT_TRUE(loops_until(lib, [&] { return lib->stamp() == 2; }));
  });
}

// The descriptor of a living engine's inotify instance.
int inotify_of(const library&) {
  for (const auto& file : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code gone;
    if (read_symlink(file.path(), gone) == "anon_inode:inotify") return std::stoi(file.path().filename());
  }
  return -1;
}

// From now on the file can't be added to an epoll instance, as if fs.epoll.max_user_watches were reached.
bool keep_out_of_epoll(int file) {
  sock_filter rules[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_epoll_ctl, 0, 3),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, args[2])),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<unsigned>(file), 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSPC),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog filter{sizeof rules / sizeof *rules, rules};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

TEST_F(ManualDrive, PollsWhenItsDescriptorCantTellOfInotifysEvents) {
  support::in_child([&] {
    put(path_, 1);
    autoreload::options chosen = manual();
    const int inotify = inotify_of(library(path_, chosen));  // the next engine's gets the same number
    ASSERT_GE(inotify, 0);
    EXPECT_EQ(kinds(), "loaded");
    if (!keep_out_of_epoll(inotify)) GTEST_SKIP() << "no seccomp filter can be set here";
    chosen.poll_interval = 5ms;
    library lib(path_, chosen);
    EXPECT_EQ(lib.watching(), autoreload::watch_mode::polling);
    EXPECT_EQ(kinds(), "warning loaded");
    put(path_, 2);
    EXPECT_TRUE(loops_until(lib, [&] { return lib->stamp() == 2; }));
  });
}

}  // namespace
