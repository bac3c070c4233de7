// SPDX-License-Identifier: MIT
// torn_test: somebody rewrites the library in place, again and again and without a pause, while the engine reloads as
// fast as it can. Whatever is loaded is one version, whole.
//
// The versions differ in their stamps alone: in each page of code, constants and data. A mixture of two has a perfect
// structure, so no check of the ELF file can see it; only the snapshot can keep it out. That the writers do mix is
// shown by plain reads of the same file at the same time.
//
// AUTORELOAD_ROUNDS: how many rewrites and how many reloads each test lasts; 200 when it is not set.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <autoreload/autoreload.hpp>
#include <chrono>
#include <cstring>
#include <functional>
#include <new>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "support.hpp"

namespace {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;

struct stamped_api {
  autoreload::required_as<"version", int()> version;
  autoreload::required_as<"witness", int()> witness;  // the version, or -1 when any page of the library has another
};

constexpr int versions = 3;

// Code in pages of its own, 40 KB of constants, 40 KB of data, and code again behind it.
std::string source(int version) {
  return "enum { v = " + std::to_string(version) + R"( };
#define PAGE __attribute__((noinline, aligned(4096)))
PAGE static int code1(void) { return v; }
const volatile int constants[10240] = {[0 ... 10239] = v};
volatile int data[10240] = {[0 ... 10239] = v};
PAGE static int code2(void) { return v; }
PAGE static int code3(void) { return v; }
int version(void) { return code1(); }
PAGE int witness(void) {
  int same = code2() == code1() && code3() == code1();
  for (int i = 0; i < 10240; i += 128) same &= constants[i] == code1() && data[i] == code1();
  return same ? v : -1;
}
)";
}

int rounds() {
  const char* const wanted = std::getenv("AUTORELOAD_ROUNDS");
  return wanted != nullptr ? std::max(std::atoi(wanted), 1) : 200;
}

class contents {
 public:
  explicit contents(const support::temp_directory& directory) {
    for (int i = 0; i < versions; ++i) {
      support::build_library(directory / "v.so", source(i + 1), "-Wl,--build-id=sha1");
      all_[static_cast<std::size_t>(i)] = support::read_file(directory / "v.so");
    }
    std::filesystem::remove(directory / "v.so");
  }
  [[nodiscard]] const std::string& of(int version) const { return all_[static_cast<std::size_t>(version - 1)]; }
  [[nodiscard]] bool same_layout() const {
    return all_[0].size() == all_[1].size() && all_[1].size() == all_[2].size();
  }
  [[nodiscard]] bool one_of_them(const std::string& text) const {
    return std::find(all_.begin(), all_.end(), text) != all_.end();
  }

 private:
  std::array<std::string, versions> all_;
};

// ---- writers: each puts one version into the file, in its own way

class in_place {
 public:
  explicit in_place(const std::string& path, int flags = 0) : file_(open(path.c_str(), O_RDWR | O_CLOEXEC | flags)) {}
  in_place(const in_place&) = delete;
  in_place& operator=(const in_place&) = delete;
  ~in_place() { close(file_); }

  void write(const std::string& bytes, std::size_t piece, std::chrono::microseconds pause) const {
    for (std::size_t at = 0; at < bytes.size(); at += piece) {
      const std::size_t size = std::min(piece, bytes.size() - at);
      if (pwrite(file_, bytes.data() + at, size, static_cast<off_t>(at)) != static_cast<ssize_t>(size)) std::abort();
      if (pause > 0us) std::this_thread::sleep_for(pause);
    }
  }
  [[nodiscard]] int get() const { return file_; }

 private:
  int file_;
};

class mapped {
 public:
  mapped(const in_place& file, std::size_t size)
      : size_(size), place_(mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0)) {
    if (place_ == MAP_FAILED) std::abort();
  }
  mapped(const mapped&) = delete;
  mapped& operator=(const mapped&) = delete;
  ~mapped() { munmap(place_, size_); }

  void write(const std::string& bytes) const {
    for (std::size_t at = 0; at < size_; at += 1024) {
      std::memcpy(static_cast<char*>(place_) + at, bytes.data() + at, std::min<std::size_t>(1024, size_ - at));
      if (at % 8192 == 0) std::this_thread::sleep_for(20us);
    }
  }

 private:
  std::size_t size_;
  void* place_;
};

// A way to write, and for how long it must be watched whatever the number of rounds.
struct way {
  const char* name;
  // Rewrites the file until it is told to stop; counts. Leaves version 1, whole.
  void (*write)(const std::string& path, const contents& all, const std::function<bool()>& go_on);
  std::chrono::milliseconds at_least{0};
  bool always_open = false;  // so nothing can be loaded while it writes
  bool in_pieces = true;     // so a plain read must meet a mixture
};

void repeat(const std::function<bool()>& go_on, std::chrono::microseconds pause,
            const std::function<void(int)>& write) {
  for (int i = 1; go_on(); ++i) {
    write(i % versions + 1);
    if (pause > 0us) std::this_thread::sleep_for(pause);
  }
  write(1);
}

const std::array<way, 6> ways{{
    {"fast",
     [](auto& path, auto& all, auto& go_on) {
       repeat(go_on, 0us, [&](int v) { in_place(path).write(all.of(v), all.of(v).size(), 0us); });
     },
     0ms, false, false},
    {"slow", [](auto& path, auto& all,
                auto& go_on) { repeat(go_on, 150us, [&](int v) { in_place(path).write(all.of(v), 8192, 30us); }); }},
    {"truncating",
     [](auto& path, auto& all, auto& go_on) {
       repeat(go_on, 150us, [&](int v) { in_place(path, O_TRUNC).write(all.of(v), 16384, 30us); });
     }},
    {"mapped",
     [](auto& path, auto& all, auto& go_on) {
       repeat(go_on, 150us, [&](int v) {
         const in_place file(path);
         mapped(file, all.of(v).size()).write(all.of(v));
       });
     }},
    {"never_closing",
     [](auto& path, auto& all, auto& go_on) {
       const in_place file(path);
       repeat(go_on, 0us, [&](int v) { file.write(all.of(v), 8192, 30us); });
     },
     3s, true},
    // No write of a page that is dirty already changes the file's time: only its contents tell.
    {"never_unmapping",
     [](auto& path, auto& all, auto& go_on) {
       const in_place file(path);
       const mapped view(file, all.of(1).size());
       repeat(go_on, 0us, [&](int v) { view.write(all.of(v)); });
     },
     3s, true},
}};

struct count {
  int rewritten = 0, loaded = 0, put_off = 0, refused = 0, torn = 0, torn_plainly = 0;
};

// Reloads and plain reads, until there were enough of both rewrites and reloads. A rewrite that stands still is loaded
// again and again, as each of these reloads is asked for: it counts once.
count compete(const std::string& path, const contents& all, const way& how, const std::function<int()>& rewritten,
              autoreload::reloadable<stamped_api>& library) {
  count seen;
  int torn_last = -1;
  const auto least = clock::now() + how.at_least;
  for (int i = 0; i < rounds() || rewritten() < rounds() || clock::now() < least; ++i) {
    const int rewrite = rewritten();
    const auto tried = library.reload();
    if (tried) {
      ++seen.loaded;
      const auto pin = library.pin();
      const bool is_torn = pin->version() < 1 || pin->version() > versions || pin->witness() != pin->version();
      if (is_torn && std::exchange(torn_last, rewrite) != rewrite) ++seen.torn;
    } else if (tried.error().at() != autoreload::stage::snapshot) {
      if (++seen.refused == 1) std::printf("first refusal: %s\n", tried.error().what());
    } else {
      ++seen.put_off;
      std::this_thread::sleep_for(50us);
    }
    seen.torn_plainly += all.one_of_them(support::read_file(path)) ? 0 : 1;
    library.poll();
  }
  seen.rewritten = rewritten();
  return seen;
}

autoreload::options by_hand() {
  autoreload::options chosen;
  chosen.drive = autoreload::drive_mode::manual;
  chosen.observer = autoreload::silent;
  return chosen;
}

std::string in_words(const count& seen) {
  return std::to_string(seen.rewritten) + " rewrites; reloads: " + std::to_string(seen.loaded) + " loaded, " +
         std::to_string(seen.put_off) + " put off, " + std::to_string(seen.refused) + " refused, " +
         std::to_string(seen.torn) + " torn; plain reads torn: " + std::to_string(seen.torn_plainly);
}

void record(const count& seen) {
  testing::Test::RecordProperty("rewritten", seen.rewritten);
  testing::Test::RecordProperty("loaded", seen.loaded);
  testing::Test::RecordProperty("put_off", seen.put_off);
  testing::Test::RecordProperty("refused", seen.refused);
  testing::Test::RecordProperty("torn", seen.torn);
  testing::Test::RecordProperty("torn_plainly", seen.torn_plainly);
  std::puts(in_words(seen).c_str());
}

class Torn : public testing::TestWithParam<way> {};

TEST_P(Torn, NothingThatIsLoadedIsAMixtureOfTwoVersions) {
  const support::temp_directory directory;
  const contents all(directory);
  ASSERT_TRUE(all.same_layout());
  const std::string path = directory / "lib.so";
  support::write_file(path, all.of(1));
  autoreload::reloadable<stamped_api> library(path, by_hand());
  ASSERT_EQ(library->witness(), 1);

  std::atomic<bool> stop{false};
  std::atomic<int> rewritten{0};
  std::thread writer([&] {
    GetParam().write(path, all, [&] {
      ++rewritten;
      return !stop;
    });
  });
  while (rewritten < 2) std::this_thread::yield();  // it has the file open
  const count seen = compete(
      path, all, GetParam(), [&] { return rewritten.load(); }, library);
  stop = true;
  writer.join();
  record(seen);
  EXPECT_EQ(seen.torn, 0);
  EXPECT_TRUE(seen.torn_plainly > 0 || !GetParam().in_pieces) << "the writer was too harmless to prove anything";
  if (GetParam().always_open) {
    EXPECT_EQ(seen.loaded, 0) << "what was still being written";
  } else {
    EXPECT_GT(seen.loaded, 0);
  }
  // In the end the last version runs.
  const auto last = library.reload();
  ASSERT_TRUE(last) << last.error().what();
  EXPECT_EQ(library->witness(), 1);
}

INSTANTIATE_TEST_SUITE_P(Writers, Torn, testing::ValuesIn(ways), [](auto& one) { return one.param.name; });

// Who doesn't own the file gets no lease on it. Then a file must have been left alone for a moment before it is read,
// so this writer leaves it alone for longer than that now and then, and starts again at any time.
TEST(TornForAnother, NothingThatIsLoadedIsAMixtureWithoutALeaseEither) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can be another user";
  const support::temp_directory directory(support::open_to_all());
  std::filesystem::permissions(directory.path(), std::filesystem::perms(0755));
  const contents all(directory);
  const std::string path = directory / "lib.so";
  support::write_file(path, all.of(1));
  struct both_see {
    std::atomic<int> rewritten{0};
    std::atomic<bool> stop{false};
    std::atomic<int> stalled{0};  // rewrites that the machine held up for so long that they seemed to be over
    count seen;
  };
  void* const memory = mmap(nullptr, sizeof(both_see), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(memory, MAP_FAILED);
  both_see& shared = *new (memory) both_see;

  const pid_t writer = fork();
  if (writer == 0) {
    for (int i = 1; !shared.stop; ++i) {
      const auto start = clock::now();
      in_place(path).write(all.of(i % versions + 1), 8192, 30us);
      if (clock::now() - start > 250ms) ++shared.stalled;
      ++shared.rewritten;
      if (i % 50 == 0) std::this_thread::sleep_for(320ms + std::chrono::milliseconds(i % 7));  // 300 ms are asked for
    }
    _exit(0);
  }
  const pid_t reader = fork();
  if (reader == 0) {
    if (setgid(54328) != 0 || setuid(54328) != 0) _exit(3);
    autoreload::reloadable<stamped_api> library(path, by_hand());
    const way how{"another", nullptr};
    shared.seen = compete(
        path, all, how, [&] { return shared.rewritten.load(); }, library);
    std::fflush(stdout);
    _exit(0);
  }
  int status = 0;
  waitpid(reader, &status, 0);
  shared.stop = true;
  waitpid(writer, nullptr, 0);
  const count seen = shared.seen;
  const int stalled = shared.stalled;
  munmap(memory, sizeof(both_see));
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << "it ended with status " << status;
  record(seen);
  RecordProperty("stalled", stalled);
  EXPECT_LE(seen.torn, stalled);
  EXPECT_GT(seen.torn_plainly, 0) << "the writer was too harmless to prove anything";
  EXPECT_GT(seen.loaded, 0);
}

}  // namespace
