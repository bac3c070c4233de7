// SPDX-License-Identifier: MIT
// retire: scans the pins, closes, and checks that the code really left.
//
// SHARED  the orphanage, process-wide lists of generations that no engine owns any more: those that a pin still holds,
//         and those that can never leave; guarded by its mutex, which is held across fork.
#include "retire.hpp"

#include <dlfcn.h>
#include <pthread.h>

#include <algorithm>
#include <mutex>
#include <new>
#include <utility>

#include "crash_table.hpp"

namespace autoreload {
namespace {

constexpr std::chrono::seconds patience{1};  // a call that is longer than this is worth a word

bool still_mapped(const snapshot& image) {
  // RTLD_NOLOAD finds it by its name, which its open descriptor keeps unique. Closing that reference again also makes
  // glibc look whether libraries that waited for thread_local destructors can go.
  void* const handle = dlopen(image.load_path.c_str(), RTLD_NOLOAD | RTLD_LAZY);
  if (handle == nullptr) return false;
  dlclose(handle);
  void* const again = dlopen(image.load_path.c_str(), RTLD_NOLOAD | RTLD_LAZY);
  if (again == nullptr) return false;
  dlclose(again);
  return true;
}

struct obstacle {
  bool forever;
  std::string text;
};

obstacle why_it_stays(const elf_facts& facts) {
#ifndef __GLIBC__
  return {true, "the C library's dlclose never unmaps (musl): every generation stays in memory"};
#endif
  if (facts.no_delete) {
    return {true, "it was linked with -z nodelete (DF_1_NODELETE): dlclose keeps it for good; link without that flag"};
  }
  if (!facts.unique_symbols.empty()) {
    return {true, "it defines the STB_GNU_UNIQUE symbol " + facts.unique_symbols.front() +
                      ", which pins it for good; compile with -fno-gnu-unique"};
  }
  if (facts.thread_destructors) {
    return {false, "destructors of its thread_local objects are pending: it leaves after those threads have ended"};
  }
  return {false, "another loaded library refers to it, or somebody else opened it"};
}

}  // namespace

struct orphanage {
  std::mutex mutex;
  std::vector<retirer::entry> waiting;  // of engines that are gone
  std::vector<std::unique_ptr<generation>> staying;
  std::vector<snapshot> images;  // of libraries that stay, but were never a generation
  static orphanage& get() {
    static auto* const one = [] {
      auto* const made = new orphanage;
      pthread_atfork([] { get().mutex.lock(); }, [] { get().mutex.unlock(); }, [] { get().mutex.unlock(); });
      return made;
    }();
    return *one;
  }

  void adopt(std::vector<retirer::entry> orphans) {
    const std::lock_guard lock(mutex);
    std::move(orphans.begin(), orphans.end(), std::back_inserter(waiting));
  }

  void keep(std::unique_ptr<generation>& for_good) {
    const std::lock_guard lock(mutex);
    staying.push_back(std::move(for_good));
  }

  // A library's destructors run in here and may destroy another engine: so not under the mutex.
  void sweep() {
    std::vector<retirer::entry> mine;
    {
      const std::lock_guard lock(mutex);
      mine.swap(waiting);
    }
    if (mine.empty()) return;
    std::vector<retirement> nobody_asks;
    if (grace_barrier()) retirer::sweep(mine, nobody_asks);
    adopt(std::move(mine));
  }
};

void retirer::add(std::unique_ptr<generation> old, bool keep) {
  const void* const table = old->module->table();
  if (keep) {
    orphanage::get().keep(old);  // reachable by its callers, if they kept pointers; never to be closed
    return;
  }
  waiting_.push_back({std::move(old), table, std::chrono::steady_clock::now()});
  fresh_ = true;
}

void retirer::sweep(std::vector<entry>& waiting, std::vector<retirement>& done) {
  const std::vector<held_pin> pins = held_pins();
  const auto now = std::chrono::steady_clock::now();
  // Room for every answer first, and an entry stays when there is no memory to judge it.
  done.reserve(done.size() + 2 * waiting.size());
  std::vector<entry> staying;
  staying.reserve(waiting.size());
  for (entry& one : waiting) {
    bool leaving = false;
    try {
      leaving = leaves(one, pins, now, done);
    } catch (const std::bad_alloc&) {
    }
    if (!leaving) staying.push_back(std::move(one));
  }
  waiting = std::move(staying);
}

// Whether this is the last that is seen of it.
bool retirer::leaves(entry& one, const std::vector<held_pin>& pins, std::chrono::steady_clock::time_point now,
                     std::vector<retirement>& done) {
  const std::uint64_t number = one.old->number;
  if (!one.closed) {
    const auto holder =
        std::find_if(pins.begin(), pins.end(), [&](const held_pin& pin) { return pin.table == one.table; });
    if (holder != pins.end()) {
      if (!one.reported && now - one.since >= patience) {
        done.push_back({number, one.table, false,
                        "a call or pin of thread " + std::to_string(holder->thread) + " is still inside it"});
        one.reported = true;
      }
      return false;
    }
    one.closed = true;
    one.reported = false;
    if (const result<void> closed = one.old->module->unload(); !closed) {
      done.push_back({number, one.table, false, closed.error().what()});
    }
  }
  if (!still_mapped(one.old->image)) {
    crash_table::remove(one.old->crash_ticket);
    done.push_back({number, one.table, true, "unloaded"});
    return true;
  }
  const obstacle reason = why_it_stays(one.old->facts);
  if (!one.reported) done.push_back({number, one.table, false, reason.text});
  one.reported = true;
  // What never leaves keeps its name for ever, so its descriptor must stay open: another file under that number would
  // be taken for it. That is the one thing that is given up on purpose.
  if (reason.forever) orphanage::get().keep(one.old);
  return reason.forever;
}

std::vector<retirement> retirer::sweep() {
  std::vector<retirement> done;
  if (fresh_) fresh_ = !grace_barrier();
  if (!waiting_.empty() && !fresh_) sweep(waiting_, done);
  orphanage::get().sweep();
  return done;
}

void let_go(snapshot image) {
  if (!image.memory || !still_mapped(image)) return;
  orphanage& here = orphanage::get();
  const std::lock_guard lock(here.mutex);
  here.images.push_back(std::move(image));
}

void retirer::abandon() {
  (void)sweep();
  if (!waiting_.empty()) orphanage::get().adopt(std::exchange(waiting_, {}));
}

}  // namespace autoreload
