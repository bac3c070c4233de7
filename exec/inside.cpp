// SPDX-License-Identifier: MIT
// inside: goes through a thread's calls by the unwind tables. Where there is none for a piece of code, the rest of the
// stack is searched for what looks like the return from a call.
#include "exec/inside.hpp"

#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <set>
#include <system_error>
#include <utility>

#include "holders/asleep.hpp"
#include "holders/mappings.hpp"
#include "holders/threads.hpp"
#include "holders/tracer.hpp"
#include "system/after_call.hpp"
#include "system/own_memory.hpp"
#include "system/thread_files.hpp"

namespace autoreload::exec {
namespace {

using holding::frame_registers;
using holding::frame_walk;
using holding::traced_thread;
using holding::tracing_job;

constexpr std::size_t deepest_calls = 4096;

struct verdict {
  bool inside = false;
  std::uintptr_t at = 0;
};

verdict search_stack(const entered_code& code, std::uintptr_t from, std::uintptr_t end) noexcept {
  std::array<std::uintptr_t, 512> words{};
  for (from &= ~std::uintptr_t{7}; from < end;) {
    const std::size_t got = copy_memory(from, words.data(), std::min(end - from, sizeof words)) / sizeof words[0];
    for (std::size_t i = 0; i < got; ++i) {
      if (code.has(words[i] - 1) && follows_a_call(words[i])) return {true, words[i]};
      if (code.before->is_passing(words[i])) return {true, 0};
    }
    if (got == 0) break;
    from += got * sizeof words[0];
  }
  return {};
}

// Async-signal-safe: the child that stops threads calls it.
verdict look_at_calls(const entered_code& code, const frame_registers& from, std::uintptr_t stack_end) noexcept {
  frame_walk walk(code.objects, from);
  for (std::size_t depth = 0; depth < deepest_calls; ++depth) {
    const holding::frame here = walk.here();
    if (here.interrupted && code.before->is_passing(here.instruction)) return {true, 0};
    if (code.has(here.instruction - (here.interrupted ? 0 : 1))) return {true, here.instruction};
    const frame_walk::step went = walk.next();
    if (went == frame_walk::step::end) return {};
    if (went == frame_walk::step::lost) break;
  }
  return search_stack(code, walk.stack_pointer(), stack_end);
}

frame_registers registers_of(const traced_thread& one) noexcept {
  // The kernel's order, by DWARF's numbers.
  constexpr std::array<std::size_t, frame_registers::count> places{10, 12, 11, 5, 13, 14, 4, 19, 9,
                                                                   8,  7,  6,  3, 2,  1,  0, 16};
  frame_registers made;
  for (std::size_t i = 0; i < places.size(); ++i) made.set(i, one.registers[places[i]]);
  return made;
}

class look {
 public:
  explicit look(const entered_code& code) : code_(code), job_(holding::make_tracing_job(holding::target({}))) {
    const holding::mapping_list all = holding::read_mappings(job_->what);
    for (const holding::mapping& one : all) {
      if (one.readable && one.writable) stacks_.push_back(one.where);
    }
    job_->stacks = stacks_;
    job_->context = this;
    job_->visit = [](void* self, const traced_thread& one) noexcept { static_cast<look*>(self)->visit(one); };
  }

  std::optional<insider> at(const std::vector<pid_t>& threads) {
    job_->thread_count = 0;
    for (const pid_t thread : threads) {
      const holding::thread_position position = holding::position_of(thread);
      if (!position.there) continue;
      if (!position.running && !holding::may_be_stopped(position)) {
        if (auto found = read_asleep(thread, position)) return found;
        continue;
      }
      if (job_->thread_count == tracing_job::most_threads) {
        if (auto found = stop_all()) return found;
      }
      job_->threads[job_->thread_count] = {};
      job_->threads[job_->thread_count++].thread = thread;
    }
    return stop_all();
  }

 private:
  // In the child, whose memory is this one's.
  void visit(const traced_thread& one) noexcept {
    if (found_.inside) return;
    found_ = look_at_calls(code_, registers_of(one), one.stack_end);
    if (found_.inside) who_ = one.thread;
  }

  std::optional<insider> stop_all() {
    found_ = {};
    const int failure = job_->thread_count == 0 ? 0 : holding::trace_threads(*job_);
    const std::size_t count = std::exchange(job_->thread_count, 0);
    if (found_.inside) return insider{who_, found_.at};
    for (std::size_t i = 0; i < count; ++i) {
      const traced_thread& one = job_->threads[i];
      if (one.came == holding::outcome::seen || one.came == holding::outcome::gone) continue;
      const int why = one.error != 0 ? one.error : failure;
      return insider{one.thread, 0,
                     why != 0 ? "it can't be stopped (ptrace: " + std::generic_category().message(why) + ")"
                              : "it did not stop in time"};
    }
    return std::nullopt;
  }

  // What its registers are that a call must keep is not to be seen.
  std::optional<insider> read_asleep(pid_t thread, const holding::thread_position& position) {
    const std::optional<waiting_call> waits = call_in(read_of_thread(thread, "syscall"));
    if (!waits) return insider{thread, 0, "it began to run"};
    frame_registers known;
    known.set(frame_registers::stack_pointer, waits->stack);
    known.set(frame_registers::instruction, waits->instruction);
    const verdict seen = look_at_calls(code_, known, holding::end_of_stack(stacks_, waits->stack));
    if (seen.inside) return insider{thread, seen.at};
    if (holding::position_of(thread) != position) return insider{thread, 0, "it began to run"};
    return std::nullopt;
  }

  const entered_code& code_;
  holding::unseen_list<memory_range> stacks_;
  holding::shared_job job_;
  verdict found_;
  pid_t who_ = 0;
};

}  // namespace

bool entered_code::has(std::uintptr_t address) const noexcept {
  return std::any_of(parts.begin(), parts.end(),
                     [&](const memory_range& one) { return address >= one.begin && address < one.end; });
}

std::optional<insider> who_is_inside(const entered_code& code) {
  look all(code);
  std::set<pid_t> known{static_cast<pid_t>(syscall(SYS_gettid))};
  // One that was inside may have started another, and left since.
  for (int round = 0; round < 100; ++round) {
    std::vector<pid_t> fresh = holding::threads_now();
    if (fresh.empty()) return insider{0, 0, "there is no /proc"};
    std::erase_if(fresh, [&](pid_t thread) { return !known.insert(thread).second; });
    if (fresh.empty()) return std::nullopt;
    if (auto found = all.at(fresh)) return found;
  }
  return insider{0, 0, "more threads are started all the time"};
}

}  // namespace autoreload::exec
