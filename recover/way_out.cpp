// SPDX-License-Identifier: MIT
// way_out: whether a guarded call can be left where a signal found it.
#include "recover/way_out.hpp"

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <unwind.h>

#include <array>
#include <cerrno>

#include "recover/safe_functions.hpp"
#include "system/aside.hpp"

namespace autoreload {
namespace {

using crash_table::entry;

constexpr int time_limit = 3;      // seconds
constexpr int most_of_libc = 8;    // frames
constexpr int most_handlers = 64;  // frames of handlers, ours and those that chain to it

bool find_code(std::uintptr_t address, std::size_t& slot, entry& found) noexcept {
  entry one;
  bool any = false;
  for (std::size_t i = 0; i < crash_table::capacity; ++i) {
    if (!crash_table::read(i, one) || one.unloaded != 0 || !one.has_code_at(address)) continue;
    if (any && one.ticket < found.ticket) continue;
    any = true;
    slot = i;
    found = one;
  }
  return any;
}

// From the interrupted frame outwards, frame by frame.
class search {
 public:
  search(const incident& from, std::uintptr_t body, std::uintptr_t stack)
      : from_(from), body_(body), stack_(stack), aborts_(from.signal == SIGABRT) {}

  // @return whether the next frame is worth a look
  bool visit(std::uintptr_t instruction, bool interrupted, std::uintptr_t function, std::uintptr_t stack) noexcept {
    if (!started_) {
      started_ = instruction == from_.instruction;
      if (!started_) return ++frames_ < most_handlers;
      interrupted = true;
    }
    const std::uintptr_t address = interrupted ? instruction : instruction - 1;  // the call, not what follows it
    if (detail::landings::is_trampoline(address)) {
      found_.open = in_library_ && stack == stack_;
      return false;
    }
    if (in_body_) return false;
    if (in_library_ && function == body_) return in_body_ = true;
    if (library_.has_code_at(address) || find_code(address, slot_, library_)) {
      if (in_library_) return true;
      in_library_ = true;
      found_.entry = slot_;
      found_.place = address;
      return libc_may_be_left();
    }
    if (in_library_ || !is_in_libc(address) || of_libc_ == most_of_libc) return false;
    libc_[static_cast<std::size_t>(of_libc_++)] = function;
    return true;
  }

  [[nodiscard]] const way_out& found() const noexcept { return found_; }

 private:
  // What the library called, and what that called.
  [[nodiscard]] bool libc_may_be_left() const noexcept {
    if (aborts_) return of_libc_ > 0 && gives_up(libc_[static_cast<std::size_t>(of_libc_ - 1)]);
    // Whatever it calls to get into the kernel and out again holds nothing, either; since glibc 2.41 that has frames.
    if (of_libc_ > 0 && waits(libc_[static_cast<std::size_t>(of_libc_ - 1)])) return true;
    for (int i = 0; i < of_libc_; ++i) {
      if (!may_be_left(libc_[static_cast<std::size_t>(i)])) return false;
    }
    return true;
  }

  const incident& from_;
  const std::uintptr_t body_;
  const std::uintptr_t stack_;
  const bool aborts_;
  bool started_ = false;
  bool in_library_ = false;
  bool in_body_ = false;
  int frames_ = 0;
  int of_libc_ = 0;
  std::array<std::uintptr_t, most_of_libc> libc_{};
  std::size_t slot_ = 0;
  entry library_;
  way_out found_;
};

_Unwind_Reason_Code visit_frame(_Unwind_Context* frame, void* argument) {
  int at_instruction = 0;
  const std::uintptr_t instruction = _Unwind_GetIPInfo(frame, &at_instruction);
  const bool go_on = static_cast<search*>(argument)->visit(instruction, at_instruction != 0,
                                                           _Unwind_GetRegionStart(frame), _Unwind_GetCFA(frame));
  return go_on ? _URC_NO_REASON : _URC_END_OF_STACK;
}

struct errand {
  search* of;
  way_out* answer;
};

// Where the child writes: in memory that a child has in common with its parent even where it gets a copy of all else,
// as under a sanitizer and under qemu. Without room for that, on the stack, which a child borrows elsewhere.
class answer_place {
 public:
  answer_place() noexcept
      : shared_(::mmap(nullptr, sizeof(way_out), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0)) {}
  answer_place(const answer_place&) = delete;
  answer_place& operator=(const answer_place&) = delete;
  ~answer_place() {
    if (shared_ != MAP_FAILED) ::munmap(shared_, sizeof(way_out));
  }
  [[nodiscard]] way_out& get() noexcept { return shared_ != MAP_FAILED ? *static_cast<way_out*>(shared_) : own_; }

 private:
  void* const shared_;
  way_out own_;
};

// In the child.
void look(void* argument) noexcept {
  end_by_any_fault(time_limit);
  const errand& mine = *static_cast<errand*>(argument);
  _Unwind_Backtrace(visit_frame, mine.of);
  *mine.answer = mine.of->found();
  ::_exit(0);
}

}  // namespace

bool may_be_ours(std::uintptr_t instruction) noexcept {
  std::size_t slot = 0;
  entry ignored;
  return is_in_libc(instruction) || find_code(instruction, slot, ignored);
}

way_out find_way_out(const incident& from, const detail::landing& to) noexcept {
  search of(from, detail::landings::body(to), detail::landings::stack(to));
  answer_place place;
  way_out& answer = place.get();
  errand mine{&of, &answer};
  const undisturbed meanwhile;
  const pid_t child = run_aside(look, &mine, 0);
  if (child <= 0) return {};
  int status = 0;
  while (::waitpid(child, &status, __WALL) < 0) {
    if (errno != EINTR) return {};
  }
  return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? answer : way_out{};
}

}  // namespace autoreload
