// SPDX-License-Identifier: MIT
// undisturbed_test: the threads of the program don't notice that they are looked at.
#include <dlfcn.h>
#include <fcntl.h>
#include <poll.h>
#include <semaphore.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <vector>

#include "story.hpp"

namespace {

using autoreload::held_image;
using autoreload::holder_report;

int function_of_the_program() { return 1; }

// Nobody holds it: the library is the C library's own, whose code every thread is in. So any other one.
held_image some_image() { return *autoreload::image_at(reinterpret_cast<const void*>(&function_of_the_program)); }

// Threads that wait in every way that a program waits in, for something that comes when all is over.
class waiters {
 public:
  waiters() {
    add("read", [this] { return read_one(pipe_[0]); });
    add("nanosleep", [this] {
      const timespec moment{0, 300000000};
      while (!over_) {
        if (nanosleep(&moment, nullptr) != 0) return false;
      }
      return true;
    });
    add("poll", [this] {
      pollfd one{event_, POLLIN, 0};
      return poll(&one, 1, -1) == 1;
    });
    add("select", [this] {
      fd_set set;
      FD_ZERO(&set);
      FD_SET(event_, &set);
      return select(event_ + 1, &set, nullptr, nullptr, nullptr) == 1;
    });
    add("epoll_wait", [this] { return epoll(-1) == 1; });
    add("epoll_wait with a limit", [this] {
      for (int got = 0; got != 1;) {
        got = epoll(400);
        if (got < 0) return false;
      }
      return true;
    });
    add("sem_wait", [this] { return sem_wait(&semaphore_) == 0; });
    add("recv", [this] {
      char byte = 0;
      return recv(sockets_[0], &byte, 1, 0) == 1;
    });
    add("recv with a limit", [this] {
      const timeval limit{30, 0};
      setsockopt(sockets_[2], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
      char byte = 0;
      return recv(sockets_[2], &byte, 1, 0) == 1;
    });
    add("read of inotify", [this] { return read_one(notify_); });
    add("running", [this] {
      while (!over_) ++count_;
      return true;
    });
  }

  ~waiters() {
    over_ = true;
    [[maybe_unused]] ssize_t done = write(pipe_[1], "x", 1);
    done = write(sockets_[1], "x", 1);
    done = write(sockets_[3], "x", 1);
    eventfd_write(event_, 1);
    sem_post(&semaphore_);
    support::write_file(directory_ / "news", "x");
    for (std::thread& one : threads_) one.join();
  }
  waiters(const waiters&) = delete;
  waiters& operator=(const waiters&) = delete;

  [[nodiscard]] std::uint64_t count() const { return count_; }
  [[nodiscard]] int disturbed() const { return disturbed_; }

 private:
  void add(const char* name, std::function<bool()> wait) {
    threads_.emplace_back([this, name, wait = std::move(wait)] {
      ++there_;
      if (wait()) return;
      story::say(std::string(name) + ": " + std::strerror(errno));
      ++disturbed_;
    });
  }
  static bool read_one(int file) {
    char bytes[4096];
    return read(file, bytes, sizeof bytes) > 0;
  }
  [[nodiscard]] int epoll(int limit) const {
    epoll_event got{};
    return epoll_wait(epoll_, &got, 1, limit);
  }

  support::temp_directory directory_;
  std::atomic<bool> over_{false};
  std::atomic<std::uint64_t> count_{0};
  std::atomic<int> there_{0};
  std::atomic<int> disturbed_{0};
  int pipe_[2] = {-1, -1};
  int sockets_[4] = {-1, -1, -1, -1};
  int event_ = eventfd(0, 0);
  int notify_ = [this] {
    const int file = inotify_init1(0);
    inotify_add_watch(file, directory_.path().c_str(), IN_CREATE);
    if (pipe(pipe_) != 0 || socketpair(AF_UNIX, SOCK_STREAM, 0, sockets_) != 0 ||
        socketpair(AF_UNIX, SOCK_STREAM, 0, sockets_ + 2) != 0) {
      throw std::runtime_error("no pipe or sockets");
    }
    return file;
  }();
  int epoll_ = [this] {
    const int file = epoll_create1(0);
    epoll_event wanted{};
    wanted.events = EPOLLIN;
    epoll_ctl(file, EPOLL_CTL_ADD, event_, &wanted);
    return file;
  }();
  sem_t semaphore_ = [] {
    sem_t made;
    sem_init(&made, 0, 0);
    return made;
  }();
  std::vector<std::thread> threads_;
};

TEST(Undisturbed, NoCallOfAnyThreadIsInterrupted) {
  for (const auto policy : {autoreload::unload_policy::threads, autoreload::unload_policy::all}) {
    int disturbed = 0;
    {
      waiters all;
      for (int round = 0; round < 30; ++round) {
        const std::uint64_t before = all.count();
        EXPECT_EQ(autoreload::who_holds(some_image(), policy).unseen, "");
        while (all.count() == before) std::this_thread::yield();  // it runs on
      }
      disturbed = all.disturbed();
    }
    EXPECT_EQ(disturbed, 0);
  }
}

std::atomic<int> handled;

// They come while their thread is stopped, too.
TEST(Undisturbed, NoSignalIsLost) {
  struct sigaction action {};
  struct sigaction before {};
  action.sa_handler = [](int) { ++handled; };
  sigaction(SIGRTMIN, &action, &before);
  std::atomic<bool> over{false};
  std::thread receiver([&] {
    while (!over) {
    }
  });
  std::thread sender([&, target = receiver.native_handle()] {
    for (int i = 0; i < 2000; ++i) {
      while (pthread_sigqueue(target, SIGRTMIN, {}) != 0) std::this_thread::yield();
    }
  });
  for (int round = 0; round < 100; ++round) {
    (void)autoreload::who_holds(some_image(), autoreload::unload_policy::threads);
  }
  sender.join();
  const auto deadline = std::chrono::steady_clock::now() + support::patience;
  while (handled < 2000 && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
  over = true;
  receiver.join();
  sigaction(SIGRTMIN, &before, nullptr);
  EXPECT_EQ(handled, 2000);
}

TEST(Undisturbed, TheHostSeesNoChild) {
  struct sigaction action {};
  struct sigaction before {};
  static std::atomic<int> children{0};
  action.sa_handler = [](int) { ++children; };
  sigaction(SIGCHLD, &action, &before);
  std::atomic<bool> over{false};
  std::thread runner([&] {
    while (!over) {
    }
  });
  for (int round = 0; round < 20; ++round) {
    (void)autoreload::who_holds(some_image(), autoreload::unload_policy::threads);
    EXPECT_EQ(waitpid(-1, nullptr, WNOHANG), -1);
  }
  over = true;
  runner.join();
  sigaction(SIGCHLD, &before, nullptr);
  EXPECT_EQ(children, 0);
}

TEST(Undisturbed, ThreadsThatComeAndGoMeanwhileAreNoTrouble) {
  std::atomic<bool> over{false};
  std::vector<std::thread> makers;
  for (int i = 0; i < 3; ++i) {
    makers.emplace_back([&] {
      while (!over) std::thread([] { std::this_thread::yield(); }).join();
    });
  }
  for (int round = 0; round < 50; ++round) {
    (void)autoreload::who_holds(some_image(), autoreload::unload_policy::threads);
  }
  over = true;
  for (std::thread& one : makers) one.join();
}

// Memory that comes and goes under the eyes of the search.
TEST(Undisturbed, MemoryThatIsUnmappedMeanwhileIsNoTrouble) {
  std::atomic<bool> over{false};
  std::thread changer([&] {
    while (!over) {
      std::vector<std::unique_ptr<char[]>> blocks;
      for (int i = 0; i < 20; ++i) blocks.push_back(std::make_unique<char[]>(std::size_t{1} << 20));
    }
  });
  for (int round = 0; round < 30; ++round) {
    (void)autoreload::who_holds(some_image(), autoreload::unload_policy::all);
  }
  over = true;
  changer.join();
}

}  // namespace
