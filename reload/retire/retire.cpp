// SPDX-License-Identifier: MIT
// retire: scans the pins, closes, and checks that the code really left.
//
// SHARED  the orphanage, process-wide lists of generations that no engine owns any more: those that a pin still holds,
//         and those that can never leave; guarded by its mutex, which is held across fork.
// MEMORY  may run out anywhere in here. A generation is destroyed in one place, after nobody was found inside of it; on
//         every other way out it is still in a list.
#include "reload/retire/retire.hpp"

#include <dlfcn.h>
#include <pthread.h>

#include <algorithm>
#include <mutex>
#include <new>
#include <utility>

#include "crash/crash_table.hpp"
#include "reload/load/loaded.hpp"
#include "reload/retire/pin_registry.hpp"
#include "reload/stays/stays.hpp"
#include "system/host_signals.hpp"

namespace autoreload {
namespace {

bool still_mapped(const snapshot& image) {
  if (!is_loaded(image.load_path)) return false;
  const hosts_signals while_destructors_run;
  // Taking a reference and closing it makes glibc look whether libraries that waited for thread_local destructors can
  // go.
  if (void* const handle = dlopen(image.load_path.c_str(), RTLD_NOLOAD | RTLD_LAZY)) dlclose(handle);
  return is_loaded(image.load_path);
}

// @return what it threw, in words, or empty
std::string say_farewell(generation& one) {
  const std::function<void()> last = std::exchange(one.farewell, nullptr);
  if (!last) return {};
  const std::optional<std::string> thrown = thrown_by(last);
  return thrown ? "what carried its state threw an exception before it was unloaded: " + *thrown : std::string();
}

enum class fate : std::uint8_t { waits, left, stays };

struct moment {
  std::vector<held_pin> pins;
  std::chrono::steady_clock::time_point now;
  std::chrono::milliseconds stuck_after;
  bool wait;  // for searches
};

// Taken out first, and before anything else is marked as done: for want of memory this may be left at any point.
void dismiss(generation& one, std::vector<retirement>& done) {
  if (one.guest.unloading == nullptr) return;
  one.dismissed = true;
  std::string thrown = call_guest(std::exchange(one.guest.unloading, nullptr), "what is called before it is unloaded");
  if (!thrown.empty()) done.push_back({one.number, false, std::move(thrown)});
}

fate fate_of(generation& one, const moment& at, std::vector<retirement>& done) {
  if (!one.closed) {
    const void* const table = one.module->table();
    const auto holder =
        std::find_if(at.pins.begin(), at.pins.end(), [&](const held_pin& pin) { return pin.table == table; });
    if (holder != at.pins.end()) {
      tell_of_holder(one, holder->thread, at.now - one.retired, at.stuck_after, done);
      return fate::waits;
    }
    if (std::string kept = why_kept(one); !kept.empty()) {
      done.push_back({one.number, false, std::move(kept)});
      return fate::stays;
    }
    if (one.check != nullptr) dismiss(one, done);  // it may end its threads, and take its handlers back
    if (is_held(one, at.wait, done)) return fate::waits;
    hold_system_libraries(one);
    dismiss(one, done);
    if (std::string thrown = say_farewell(one); !thrown.empty()) done.push_back({one.number, false, std::move(thrown)});
    one.closed = true;
    one.reported = false;
    const hosts_signals while_destructors_run;
    if (const result<void> closed = one.module->unload(); !closed) {
      done.push_back({one.number, false, closed.error().what()});
    }
  }
  if (!still_mapped(one.image)) {
    crash_table::remove(std::exchange(one.crash_ticket, 0));
    one.image.named = {};
    done.push_back({one.number, true, "unloaded"});
    return fate::left;
  }
  const obstacle reason = why_it_stays(one.facts);
  if (!one.reported) done.push_back({one.number, false, reason.text});
  one.reported = true;
  return reason.forever ? fate::stays : fate::waits;
}

// The generations of no engine. Never destroyed: its generations' code is called until the very end of the process.
struct orphanage {
  std::mutex mutex;
  generations waiting;  // of engines that are gone
  generations staying;  // never to be closed, or never to leave
  static orphanage& get() {
    static auto* const one = [] {
      auto* const made = new orphanage;
      pthread_atfork([] { get().mutex.lock(); }, [] { get().mutex.unlock(); }, [] { get().mutex.unlock(); });
      return made;
    }();
    return *one;
  }

  void adopt(generations& orphans) noexcept {
    const std::lock_guard lock(mutex);
    waiting.splice(waiting.end(), orphans);
  }

  // What never leaves keeps its name for ever, so its descriptor must stay open: another file under that number would
  // be taken for it. That is the one thing that is given up on purpose.
  void keep(generations& from, generations::iterator first, generations::iterator last) noexcept {
    const std::lock_guard lock(mutex);
    for (auto one = first; one != last; ++one) one->image.named = {};  // or it would outlive the process
    staying.splice(staying.end(), from, first, last);
  }

  void sweep();
};

// Unloads what it can, and moves it to `left`. One that there is no memory to judge stays for the next time.
void sweep_all(generations& waiting, std::chrono::milliseconds stuck_after, bool wait, std::vector<retirement>& done,
               generations& left) {
  const moment at{held_pins(), std::chrono::steady_clock::now(), stuck_after, wait};
  done.reserve(done.size() + 4 * waiting.size());  // what has happened must not be forgotten for want of room
  for (auto next = waiting.begin(); next != waiting.end();) {
    const auto one = next++;
    try {
      const fate is = fate_of(*one, at, done);
      if (is == fate::left) left.splice(left.end(), waiting, one);
      if (is == fate::stays) orphanage::get().keep(waiting, one, next);
    } catch (const std::bad_alloc&) {
    }
  }
}

// A library's destructors run in here and may destroy another engine: so not under the mutex.
void orphanage::sweep() {
  struct borrowed {
    generations list;
    borrowed() {
      const std::lock_guard lock(get().mutex);
      list.swap(get().waiting);
    }
    borrowed(const borrowed&) = delete;
    borrowed& operator=(const borrowed&) = delete;
    ~borrowed() { get().adopt(list); }
  } mine;
  if (mine.list.empty()) return;
  std::vector<retirement> nobody_asks;
  generations nobody_keeps;
  if (grace_barrier().passed) sweep_all(mine.list, std::chrono::milliseconds(0), false, nobody_asks, nobody_keeps);
}

}  // namespace

retirer::retirer(std::shared_ptr<unload_check> check) : check_(std::move(check)) {
  (void)orphanage::get();
}  // now, while a failure is only an exception

void retirer::add(generations& old, bool keep) noexcept {
  const auto now = std::chrono::steady_clock::now();
  for (generation& one : old) {
    one.retired = now;
    one.check = check_;
  }
  if (keep) {  // reachable by its callers, if they kept pointers
    orphanage::get().keep(old, old.begin(), old.end());
    return;
  }
  waiting_.splice(waiting_.end(), old);
  fresh_ = true;
}

// Not one that dlclose was called for: who calls it would not keep it. Nor one that has prepared itself to be unloaded.
const generation* retirer::loaded(std::uint64_t number) const noexcept {
  const auto found = std::find_if(waiting_.begin(), waiting_.end(),
                                  [&](const generation& one) { return one.number == number && !one.leaves(); });
  return found == waiting_.end() ? nullptr : &*found;
}

void retirer::mark_bad(std::uint64_t number) noexcept {
  for (generation& one : waiting_) one.sent_away |= one.number == number;
}

bool retirer::take_back(std::uint64_t number, generations& into) noexcept {
  const generation* const wanted = loaded(number);
  const auto found =
      std::find_if(waiting_.begin(), waiting_.end(), [&](const generation& one) { return &one == wanted; });
  if (found == waiting_.end()) return false;
  found->reported = found->stuck = false;
  found->search.reset();
  found->held_by.clear();
  into.splice(into.end(), waiting_, found);
  return true;
}

std::vector<retirement> retirer::sweep(std::chrono::milliseconds stuck_after, bool wait) {
  std::vector<retirement> done;
  if (fresh_) {
    const grace period = grace_barrier();
    fresh_ = !period.passed;
    if (period.refused != 0 && !waiting_.empty() && !std::exchange(told_, true)) {
      done.push_back({waiting_.back().number, false, without_membarrier(period)});
    }
  }
  if (!waiting_.empty() && !fresh_) sweep_all(waiting_, stuck_after, wait, done, unloaded_);
  orphanage::get().sweep();
  return done;
}

generation::~generation() {
  search.reset();  // it reads the image
  const hosts_signals while_destructors_run;
  module.reset();
  let_go(std::move(image));
}

void let_go(snapshot image) noexcept {
  if (image.memory && still_mapped(image)) image.memory.leak();
}

void retirer::abandon() noexcept {
  try {
    (void)sweep(std::chrono::milliseconds(0), true);
  } catch (const std::bad_alloc&) {  // then the next sweep of any engine
  }
  orphanage::get().adopt(waiting_);
}

}  // namespace autoreload
