// SPDX-License-Identifier: MIT
// closed_descriptors_test: a host that closes descriptors which it doesn't know, as daemons do, goes on being served,
// and no file that gets one of their numbers is touched.
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <autoreload/autoreload.hpp>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "in_a_child.hpp"
#include "support.hpp"

namespace {

using autoreload::event_kind;
using autoreload::event_queue;
using support::build_library;
using support::in_a_child;
using support::patience;

struct number_api {
  autoreload::required_as<"number", int()> number;
};
using reloadable = autoreload::reloadable<number_api>;

// in_a_child's own way to report stays open.
constexpr unsigned last_number = 199;
void close_all_from_3() { syscall(SYS_close_range, 3U, last_number, 0U); }

// Files of the host's that take the numbers which became free.
class strangers {
 public:
  strangers() {
    for (int i = 0; i < 12; ++i) {
      own eventfd_at{::eventfd(7, EFD_CLOEXEC | EFD_NONBLOCK), kind::counter};
      own file_at{::memfd_create("the host's", MFD_CLOEXEC), kind::file};
      own directory_at{::inotify_init1(IN_CLOEXEC | IN_NONBLOCK), kind::directory};
      [[maybe_unused]] const ssize_t written = ::write(file_at.number, "mine", 4);
      ::inotify_add_watch(directory_at.number, "/", IN_ATTRIB);
      for (const own& one : {eventfd_at, file_at, directory_at}) all_.push_back(one);
    }
  }
  // What was done to them, or nothing.
  [[nodiscard]] std::string harm() const {
    for (const own& one : all_) {
      const std::string name = "descriptor " + std::to_string(one.number);
      if (::fcntl(one.number, F_GETFD) < 0) return name + " was closed";
      if (one.is == kind::counter) {
        std::uint64_t count = 0;
        if (::read(one.number, &count, sizeof count) != sizeof count) return name + " was read";
        if (count != 7) return name + " was written to";
        count = 7;
        if (::write(one.number, &count, sizeof count) != sizeof count) return name + " can't be written to";
      } else if (one.is == kind::file) {
        char text[8] = {};
        struct stat status {};
        if (::fstat(one.number, &status) != 0 || status.st_size != 4) return name + " has another size";
        if (::pread(one.number, text, sizeof text, 0) != 4 || std::string(text) != "mine") return name + " was changed";
        if (::fcntl(one.number, F_GET_SEALS) > F_SEAL_SEAL) return name + " was sealed";
      } else if (::inotify_rm_watch(one.number, 2) == 0) {
        return name + " watches something of ours";
      }
    }
    return {};
  }

 private:
  enum class kind : std::uint8_t { counter, file, directory };
  struct own {
    int number;
    kind is;
  };
  std::vector<own> all_;
};

// A library at a path, and its next versions.
struct subject {
  support::temp_directory directory;
  std::string path = directory / "lib.so";
  event_queue events;
  int version = 0;
  std::vector<std::string> built;

  // Compiling needs a pipe, so all versions are there before anything is closed.
  explicit subject(int versions) {
    for (int i = 1; i <= versions; ++i) {
      built.push_back(directory / ("v" + std::to_string(i) + ".so"));
      build_library(built.back(), "int number(void) { return " + std::to_string(i) + "; }");
    }
    next();
  }
  void next() { std::filesystem::rename(built.at(static_cast<std::size_t>(version++)), path); }
  autoreload::options options(autoreload::drive_mode how) {
    autoreload::options chosen;
    chosen.observer = events.observer();
    chosen.drive = how;
    return chosen;
  }
  autoreload::options polling(std::chrono::milliseconds interval) {
    autoreload::options chosen = options(autoreload::drive_mode::manual);
    chosen.watch = autoreload::watch_mode::polling;
    chosen.poll_interval = interval;
    return chosen;
  }
  // "" when the newest version is what is called.
  std::string comes(const reloadable& library) {
    const auto deadline = std::chrono::steady_clock::now() + patience;
    while (library->number() != version) {
      if (std::chrono::steady_clock::now() > deadline) return "version " + std::to_string(version) + " was not loaded";
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return {};
  }
  std::string warned() {
    const auto warning = events.next(event_kind::warning, patience);
    if (!warning) return "no warning came";
    return warning->text.find("closed descriptors") != std::string::npos ? "" : warning->text;
  }
};

bool tells(const reloadable& library) {
  pollfd waiting{library.descriptor(), POLLIN, 0};
  return ::poll(&waiting, 1, static_cast<int>(patience.count()) * 1000) == 1 && waiting.revents == POLLIN;
}

std::chrono::microseconds processor_time() {
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  return std::chrono::seconds(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
         std::chrono::microseconds(used.ru_utime.tv_usec + used.ru_stime.tv_usec);
}

TEST(ClosedDescriptors, OfTheServiceAreMadeAgainAndItIsSaid) {
  in_a_child([]() -> std::string {
    subject it(3);
    const reloadable library(it.path, it.options(autoreload::drive_mode::background));
    close_all_from_3();
    it.next();
    if (const std::string bad = it.comes(library); !bad.empty()) return bad;
    if (const std::string bad = it.warned(); !bad.empty()) return bad;
    it.next();
    if (const std::string bad = it.comes(library); !bad.empty()) return "the second time: " + bad;
    const auto before = processor_time();
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    return processor_time() - before < std::chrono::milliseconds(150) ? "" : "it spins";
  });
}

TEST(ClosedDescriptors, WhoseNumbersAreTheHostsByNowAreLeftAlone) {
  in_a_child([]() -> std::string {
    subject it(4);
    std::optional<reloadable> library(std::in_place, it.path, it.options(autoreload::drive_mode::background));
    it.next();  // so that there are old generations, and memory that was prepared for the next copy
    if (const std::string bad = it.comes(*library); !bad.empty()) return bad;
    close_all_from_3();
    const strangers theirs;
    for (int i = 0; i < 2; ++i) {
      it.next();
      if (const std::string bad = it.comes(*library); !bad.empty()) return bad;
      if (const std::string bad = theirs.harm(); !bad.empty()) return bad;
    }
    library.reset();
    return theirs.harm();
  });
}

TEST(ClosedDescriptors, DoNotKeepTheDestructorWaiting) {
  for (const bool taken : {false, true}) {
    in_a_child([=]() -> std::string {
      alarm(static_cast<unsigned>(patience.count()));
      subject it(1);
      std::optional<reloadable> library(std::in_place, it.path, it.options(autoreload::drive_mode::background));
      close_all_from_3();
      std::optional<strangers> theirs;
      if (taken) theirs.emplace();
      library.reset();
      return taken ? theirs->harm() : "";
    });
  }
}

TEST(ClosedDescriptors, DoNotKeepAnotherLibraryFromBeingServed) {
  for (const bool taken : {false, true}) {
    in_a_child([=]() -> std::string {
      subject it(2);
      subject other(2);
      const reloadable library(it.path, it.options(autoreload::drive_mode::background));
      close_all_from_3();
      std::optional<strangers> theirs;
      if (taken) theirs.emplace();
      // The thread sleeps, and nothing has changed that could wake it.
      const reloadable second(other.path, other.options(autoreload::drive_mode::background));
      other.next();
      if (const std::string bad = other.comes(second); !bad.empty()) return "the new one: " + bad;
      it.next();
      if (const std::string bad = it.comes(library); !bad.empty()) return "the old one: " + bad;
      return taken ? theirs->harm() : "";
    });
  }
}

TEST(ClosedDescriptors, OfManualDriveAreMadeAgainUnderTheSameNumberIfItIsFree) {
  in_a_child([]() -> std::string {
    subject it(3);
    reloadable library(it.path, it.options(autoreload::drive_mode::manual));
    const int number = library.descriptor();
    close_all_from_3();
    library.poll();
    if (const std::string bad = it.warned(); !bad.empty()) return bad;
    if (library.descriptor() != number) return "another number";
    for (int i = 0; i < 2; ++i) {
      it.next();
      if (!tells(library)) return "the descriptor doesn't tell";
      library.poll();
      if (library->number() != it.version) return "the change was not taken";
    }
    return {};
  });
}

// Calls poll() when the descriptor says so, and at no other time. @return "" once the newest version is called
std::string loop(subject& it, reloadable& library) {
  while (library->number() != it.version) {
    if (!tells(library)) return "the descriptor doesn't tell";
    library.poll();
  }
  return {};
}

TEST(ClosedDescriptors, OfManualDriveAreMadeAgainWhenTheOneOfTheLoopIsAskedForAfterwards) {
  in_a_child([]() -> std::string {
    subject it(3);
    reloadable library(it.path, it.polling(std::chrono::milliseconds(5)));
    close_all_from_3();
    const strangers theirs;
    library.poll();
    it.next();
    if (std::string bad = loop(it, library); !bad.empty()) return bad;
    return theirs.harm();
  });
}

TEST(ClosedDescriptors, OfManualDriveTellOfFilesThoughNobodyPolledBeforeTheOneOfTheLoopWasAskedFor) {
  in_a_child([]() -> std::string {
    subject it(3);
    reloadable library(it.path, it.options(autoreload::drive_mode::manual));
    close_all_from_3();
    const strangers theirs;
    if (!tells(library)) return "nothing asks for a poll()";
    library.poll();
    if (std::string bad = it.warned(); !bad.empty()) return bad;
    for (int i = 0; i < 2; ++i) {
      it.next();
      if (std::string bad = loop(it, library); !bad.empty()) return bad;
    }
    return theirs.harm();
  });
}

// The timer that is made anew has to be told what the old one knew.
TEST(ClosedDescriptors, OfPollingInManualDriveTellOfTheNextLook) {
  in_a_child([]() -> std::string {
    subject it(2);
    reloadable library(it.path, it.polling(std::chrono::milliseconds(300)));
    (void)library.descriptor();
    close_all_from_3();
    library.poll();  // before the interval is over
    it.next();
    if (std::string bad = loop(it, library); !bad.empty()) return bad;
    return it.warned();
  });
}

TEST(ClosedDescriptors, OfManualDriveLeaveTheHostsAlone) {
  in_a_child([]() -> std::string {
    subject it(3);
    std::optional<reloadable> library(std::in_place, it.path, it.options(autoreload::drive_mode::manual));
    close_all_from_3();
    const strangers theirs;
    for (int i = 0; i < 2; ++i) {
      it.next();
      library->poll();
      library->poll();
      if (library->operator->()->number() != it.version) return "the change was not taken";
      if (const std::string bad = theirs.harm(); !bad.empty()) return bad;
    }
    library.reset();
    return theirs.harm();
  });
}

// The loader knows a generation by its descriptor's number, and takes what comes under that number for the old one.
TEST(ClosedDescriptors, OfAGenerationDoNotMakeTheNextOneStale) {
  in_a_child([]() -> std::string {
    subject it(9);
    reloadable library(it.path, it.options(autoreload::drive_mode::manual));
    for (int i = 0; i < 8; ++i) {
      const auto held = library.pin();
      close_all_from_3();
      it.next();
      library.poll();
      library.poll();
      if (library.last_failure()) return library.last_failure()->what();
      if (library->number() != it.version) return "a stale library answers for version " + std::to_string(it.version);
      if (held->number() != it.version - 1) return "the pinned generation is another";
    }
    return {};
  });
}

}  // namespace
