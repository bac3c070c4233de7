// SPDX-License-Identifier: MIT
// threads: chooses for each thread how it is looked at.
//
// A thread that sleeps is read as it lies: it notices nothing. One that runs is stopped for some microseconds by the
// tracer. Where no tracing is allowed, a thread that runs is looked at again and again until it sleeps.
#include "holders/threads.hpp"

#include <dirent.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <set>
#include <system_error>
#include <thread>
#include <utility>

#include "holders/asleep.hpp"
#include "holders/mappings.hpp"
#include "system/thread_files.hpp"

namespace autoreload::holding {
namespace {

// The registers that a call must keep are not to be seen in a thread that sleeps; for return addresses the stack is
// enough where calls put them there.
#if defined(__x86_64__)
constexpr bool stack_has_all_returns = true;
#else
constexpr bool stack_has_all_returns = false;
#endif

class look {
 public:
  look(const target& what, bool data_too, const std::atomic<bool>* cancelled)
      : job_(make_tracing_job(what)), cancelled_(cancelled) {
    job_->data_too = data_too;
  }

  void at(const std::vector<pid_t>& threads) {
    stacks_.clear();
    for (const mapping& one : read_mappings(job_->what)) {
      if (one.readable && one.writable) stacks_.push_back(one.where);
    }
    job_->stacks = stacks_;
    std::vector<pid_t> to_stop;
    for (const pid_t thread : threads) {
      if (stopped()) return;
      const thread_position position = position_of(thread);
      if (!position.there) continue;
      const bool stop = position.running || (wants_registers() && may_be_stopped(position));
      if (stop || !read_asleep(thread, position)) to_stop.push_back(thread);
    }
    for (std::size_t i = 0; i < to_stop.size() && !stopped(); i += tracing_job::most_threads) {
      const std::size_t end = std::min(i + tracing_job::most_threads, to_stop.size());
      stop_and_look(
          {to_stop.begin() + static_cast<std::ptrdiff_t>(i), to_stop.begin() + static_cast<std::ptrdiff_t>(end)});
    }
  }

  thread_findings take() {
    done.lost += job_->lost;
    return std::move(done);
  }

  thread_findings done;

 private:
  [[nodiscard]] bool wants_registers() const { return job_->data_too || !stack_has_all_returns; }
  [[nodiscard]] bool stopped() const { return cancelled_ != nullptr && *cancelled_; }

  void keep_found(std::size_t from) {
    for (std::size_t i = from; i < job_->found_count; ++i) done.words.push_back(job_->found[i]);
    job_->found_count = from;
  }

  // @return false when it did not sleep all the time
  bool read_asleep(pid_t thread, const thread_position& position) {
    if (position.running) return false;
    job_->found_count = 0;
    const std::uintptr_t end = end_of_stack(stacks_, position.stack_pointer);
    scan_stack(*job_, thread, {position.stack_pointer, end});
    const thread_position after = position_of(thread);
    if (after.there && after != position) return false;
    keep_found(0);
    if (after.there) done.stacks.push_back({thread, {position.stack_pointer, end}, 0});
    if (after.there && wants_registers()) ++done.registers_unseen;
    return true;
  }

  void stop_and_look(const std::vector<pid_t>& threads) {
    job_->found_count = 0;
    job_->thread_count = threads.size();
    for (std::size_t i = 0; i < threads.size(); ++i) {
      job_->threads[i] = {};
      job_->threads[i].thread = threads[i];
    }
    const int failure = trace_threads(*job_);
    keep_found(0);
    for (std::size_t i = 0; i < job_->thread_count && !stopped(); ++i) {
      const traced_thread one = job_->threads[i];
      if (one.came == outcome::gone) continue;
      if (one.came == outcome::seen) {
        for (std::size_t k = 0; k < one.register_count; ++k) {
          // What leads into the library was found already, and a copy of it would be found once more.
          if (job_->what.leads_to(one.registers[k]) == leads::nowhere) done.registers.push_back(one.registers[k]);
        }
        done.stacks.push_back({one.thread, {one.stack_pointer, one.stack_end}, one.thread_pointer});
      } else {
        wait_until_asleep(one.thread, one.error != 0 ? one.error : failure);
      }
    }
  }

  void wait_until_asleep(pid_t thread, int why_not_stopped) {
    for (int round = 0; round < 50 && !stopped(); ++round) {
      const thread_position position = position_of(thread);
      if (!position.there || read_asleep(thread, position)) return;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    if (!done.unseen.empty()) return;
    done.unseen = words_of_thread(thread) + ", which runs and can't be stopped";
    if (why_not_stopped != 0) {
      done.unseen += " (ptrace: " + std::generic_category().message(why_not_stopped) + "; let the sandbox allow it)";
    }
  }

  shared_job job_;
  const std::atomic<bool>* cancelled_;
  unseen_list<memory_range> stacks_;
};

}  // namespace

std::vector<pid_t> threads_now() {
  std::vector<pid_t> all;
  DIR* const directory = opendir("/proc/self/task");
  if (directory == nullptr) return all;
  while (const dirent* const entry = readdir(directory)) {
    if (const int number = std::atoi(entry->d_name); number > 0) all.push_back(number);
  }
  closedir(directory);
  return all;
}

thread_findings look_at_threads(const target& what, bool data_too, pid_t own_thread,
                                const std::atomic<bool>* cancelled) {
  look all(what, data_too, cancelled);
  std::set<pid_t> known{static_cast<pid_t>(syscall(SYS_gettid)), own_thread};
  // A thread that is inside may start another, which is inside, and leave before it is looked at itself. So until a
  // round finds nobody new.
  for (int round = 0; cancelled == nullptr || !*cancelled; ++round) {
    std::vector<pid_t> fresh = threads_now();
    if (fresh.empty()) {
      all.done.unseen = "the threads: there is no /proc";
      break;
    }
    std::erase_if(fresh, [&](pid_t thread) { return !known.insert(thread).second; });
    if (fresh.empty()) break;
    if (round == 100) {
      all.done.unseen = "the newest threads: more are started all the time";
      break;
    }
    all.at(fresh);
  }
  return all.take();
}

}  // namespace autoreload::holding
