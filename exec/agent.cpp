// SPDX-License-Identifier: MIT
// agent: threads of its own, which the program does not see.
//
// SHARED  - the stand-ins that wait for an engine, and the libraries that have one, under a mutex. Whoever holds it
//           calls neither the loader nor an engine. It is held across fork, with the libraries' own: a child has none
//           of the threads, so nothing is watched anew there, but it finds what is known.
//         - what is written before main, by one thread, and only read later: the orders, the process's number.
// THREADS The program's own call dlopen and dlsym. `tend` makes the engines; it has a table of descriptors of its own,
//         and so have the threads that come from it. One thread shares the program's table: see program_thread.hpp.
#include "exec/agent.hpp"

#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <cstdlib>
#include <deque>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "exec/agent_orders.hpp"
#include "exec/files.hpp"
#include "exec/gate.hpp"
#include "exec/journal.hpp"
#include "exec/linked_library.hpp"
#include "exec/loaded_standin.hpp"
#include "exec/opened_file.hpp"
#include "exec/optional_parts.hpp"
#include "exec/program_thread.hpp"
#include "exec/user_library.hpp"
#include "reload/snapshot/copy_place.hpp"
#include "system/held_signal.hpp"

namespace autoreload::exec {
namespace {

struct opened_library {
  std::string file;  // its stand-in's; empty: it has none
  bool watched = false;
};

struct agent {
  agent_orders orders;
  pid_t process = 0;
  program_thread loading;

  std::mutex mutex;
  std::condition_variable came;
  std::condition_variable seen;
  std::deque<loaded_standin> waiting;
  std::size_t unseen = 0;  // of those that have come, without an engine yet
  std::vector<std::unique_ptr<linked_library>> libraries;
  std::map<std::string, opened_library> opened;  // by the libraries' real paths
};

agent* the_agent = nullptr;

bool is_ours() { return the_agent != nullptr && the_agent->process == getpid(); }

// The program's descriptors keep their numbers, and what it closes is closed: this thread has copies of none.
bool leave_descriptors() {
#ifndef CLOSE_RANGE_UNSHARE
  constexpr unsigned CLOSE_RANGE_UNSHARE = 1U << 1U;
#endif
#ifndef SYS_close_range
  constexpr long SYS_close_range = 436;
#endif
  return syscall(SYS_close_range, 3U, ~0U, CLOSE_RANGE_UNSHARE) == 0;
}

// Whoever builds learns what is reloaded that the program did not start with.
void tell_builder(const std::string& path) {
  const std::string pipe = the_agent->orders.directory + "/" + opened_pipe;
  const int to = open(pipe.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC);
  if (to < 0) return;
  const held_signal no_sigpipe(SIGPIPE);
  [[maybe_unused]] const ssize_t written = write(to, path.c_str(), path.size() + 1);
  close(to);
}

void* tend(void*) {
  agent& here = *the_agent;
  if (leave_descriptors()) {
    close(STDIN_FILENO);
    close(STDOUT_FILENO);
    // Whoever takes these numbers must not be written to by mistake.
    (void)open("/dev/null", O_RDONLY | O_CLOEXEC);
    (void)open("/dev/null", O_RDONLY | O_CLOEXEC);
    name_descriptors_by_thread();
  }
  for (;;) {
    loaded_standin next;
    {
      std::unique_lock lock(here.mutex);
      here.came.wait(lock, [&] { return !here.waiting.empty(); });
      next = std::move(here.waiting.front());
      here.waiting.pop_front();
    }
    const std::string path = next.header->path;
    const bool opened = !next.is_global;
    auto made = linked_library::watch(
        std::move(next), here.loading,
        {.trial = here.orders.trial,
         .keep_old = here.orders.keep_old,
         .state = here.orders.state,
         .at = here.orders.at,
         .adapt = [&here](options& to, linked_library& of) { add_optional_parts(to, of, here.orders); }});
    if (!made) say("\"" + path + "\" is not reloaded: " + made.error().what());
    if (made && opened) tell_builder(path);
    const std::lock_guard lock(here.mutex);
    if (made) here.libraries.push_back(*std::move(made));
    --here.unseen;
    here.seen.notify_all();
  }
}

// What is replaced before its engine has seen it hands nothing over. So main begins when all are seen. No lock of the
// loader's is held while a program's first constructors run; should one be, the wait ends.
void wait_until_seen() {
  agent& here = *the_agent;
  std::unique_lock lock(here.mutex);
  here.seen.wait_for(lock, std::chrono::seconds(2), [&] { return here.unseen == 0; });
}

void watch(loaded_standin found) {
  agent& here = *the_agent;
  found.header->notice.store(&autoreload_exec_notice, std::memory_order_release);
  const std::lock_guard lock(here.mutex);
  here.waiting.push_back(std::move(found));
  ++here.unseen;
  here.came.notify_all();
}

void before_fork() {
  the_agent->mutex.lock();
  for (const auto& one : the_agent->libraries) one->lock();
}

void after_fork() {
  for (const auto& one : the_agent->libraries) one->unlock();
  the_agent->mutex.unlock();
}

void after_fork_in_child() {
  after_fork();
  for (const auto& one : the_agent->libraries) one->open_gate_of_child();
}

[[gnu::constructor]] void begin() {
  const char* const directory = std::getenv(orders_variable);
  if (directory == nullptr) return;
  result<agent_orders> orders = read_orders(directory);
  if (!orders) return;
  the_agent = new agent;  // for ever: threads go on while the process ends
  agent& here = *the_agent;
  here.orders = *std::move(orders);
  here.process = getpid();
  open_journal(here.orders.journal);
  restore_environment(here.orders, orders_variable);
  pthread_atfork(&before_fork, &after_fork, &after_fork_in_child);
  std::vector<loaded_standin> found = standins_at_start();
  if (!here.loading.start() || !start_thread(&tend, nullptr)) {
    say("the system grants no threads: nothing is reloaded");
    return;
  }
  for (loaded_standin& one : found) {
    here.opened[real_path(one.header->path)] = {one.file, true};
    watch(std::move(one));
  }
  if (here.orders.state) wait_until_seen();
}

[[gnu::destructor]] void end() {
  if (!is_ours()) return;
  std::error_code ignored;
  std::filesystem::remove_all(the_agent->orders.directory, ignored);
}

// Prepares the stand-in of a library that the program opens, once. The loader is not called under the lock: a
// constructor on another thread may have the loader's, and open a library.
std::string standin_file(const std::string& path) {
  agent& here = *the_agent;
  const std::lock_guard lock(here.mutex);
  const auto known = here.opened.find(path);
  if (known != here.opened.end()) return known->second.file;
  if (!is_ours()) return {};
  opened_library& made = here.opened[path];
  const bool named = is_named(here.orders.libraries, path, {});
  if (!(here.orders.libraries.empty() ? is_users_own(path) : named)) return {};
  const result<prepared_standin> prepared = prepare_standin({.path = path,
                                                             .needed = {},
                                                             .directory = here.orders.directory,
                                                             .asked_for = named,
                                                             .carries_state = here.orders.state,
                                                             .is_global = false,
                                                             .replaced = {}});
  if (!prepared) {
    say("\"" + path + "\" is not reloaded: " + prepared.error().what());
    return {};
  }
  for (const std::string& remark : prepared->remarks) say("\"" + path + "\": " + remark);
  made.file = prepared->file;
  return made.file;
}

// The first who opened it has it watched.
void watch_opened(const std::string& path, void* handle) {
  loaded_standin found = standin_of(handle);
  {
    const std::lock_guard lock(the_agent->mutex);
    if (found.header == nullptr || std::exchange(the_agent->opened[path].watched, true)) return;
  }
  watch(std::move(found));
}

bool is_loaded_itself(const std::string& path) {
  void* const handle = dlopen(path.c_str(), RTLD_NOLOAD | RTLD_LAZY);
  if (handle != nullptr) dlclose(handle);
  return handle != nullptr;
}

std::string open_stand_in(const std::string& path, int flags) {
  if (path.empty() || is_loaded_itself(path)) return {};
  std::string file;
  if ((flags & RTLD_NOLOAD) != 0) {
    const std::lock_guard lock(the_agent->mutex);
    const auto known = the_agent->opened.find(path);
    return known == the_agent->opened.end() ? file : known->second.file;
  }
  file = standin_file(path);
  if (file.empty()) return {};
  // It stays open: stubs must stay where they are. If it can't be opened, the loader says why of the library itself.
  void* const handle = dlopen(file.c_str(), flags);
  if (handle == nullptr) return {};
  watch_opened(path, handle);
  return file;
}

}  // namespace

const char* file_to_open(const char* name, int flags, const void* caller) {
  if (the_agent == nullptr || name == nullptr || *name == '\0' || is_own_code(caller)) return name;
  const int before = errno;
  const char* answer = name;
  try {
    const std::string file = open_stand_in(file_of(name, caller), flags);
    if (!file.empty()) {
      static thread_local std::string kept;  // as long as dlopen reads it
      kept = file;
      answer = kept.c_str();
    }
  } catch (const std::exception&) {  // for want of memory: the library itself, then
  }
  errno = before;
  return answer;
}

void* newer_function(void* handle, const char* name) {
  if (the_agent == nullptr || handle == RTLD_DEFAULT || handle == RTLD_NEXT || name == nullptr) return nullptr;
  linked_library* library = nullptr;
  {
    const std::lock_guard lock(the_agent->mutex);
    for (const auto& one : the_agent->libraries) {
      if (one->standin().handle == handle) library = one.get();
    }
  }
  if (library == nullptr || library->standin_has(name)) return nullptr;
  try {
    return library->newer_function(name);
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}

}  // namespace autoreload::exec
