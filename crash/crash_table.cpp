// SPDX-License-Identifier: MIT
// crash_table: which addresses belong to which generation, readable from a signal handler.
#include "crash/crash_table.hpp"

#include <elf.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <mutex>
#include <tuple>
#include <type_traits>
#include <utility>

namespace autoreload::crash_table {
namespace {

static_assert(std::is_trivially_copyable_v<entry> && sizeof(entry) % sizeof(std::uint64_t) == 0);
using words = std::array<std::uint64_t, sizeof(entry) / sizeof(std::uint64_t)>;

struct slot {
  std::atomic<std::uint32_t> version{0};
  std::array<std::atomic<std::uint64_t>, std::tuple_size_v<words>> content{};
};
static_assert(std::atomic<std::uint64_t>::is_always_lock_free && std::atomic<std::uint32_t>::is_always_lock_free);

constinit std::array<slot, capacity> slots;

constinit std::mutex writer;                   // guards all below, and the right to write slots
constinit std::array<entry, capacity> master;  // what the slots hold, for the writer
std::uint64_t last_ticket = 0;
bool keeping = false;

void publish(std::size_t at) {
  words now;
  std::memcpy(now.data(), &master[at], sizeof now);
  slot& into = slots[at];
  const std::uint32_t version = into.version.load(std::memory_order_relaxed);
  into.version.store(version + 1, std::memory_order_relaxed);
  for (std::size_t i = 0; i < now.size(); ++i) into.content[i].store(now[i], std::memory_order_release);
  into.version.store(version + 2, std::memory_order_release);
}

std::int64_t nanoseconds_now() {
  return std::chrono::nanoseconds(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// Whether the descriptor still is the snapshot: a host may have closed it, and another file may have got its number.
bool is_snapshot(const entry& one) {
  struct stat status {};
  return one.snapshot >= 0 && ::fstat(static_cast<int>(one.snapshot), &status) == 0 && status.st_dev == one.device &&
         status.st_ino == one.inode;
}

// Writes a slot anew, and closes the old entry's descriptor if that was the table's own: only now that no reader can
// pick its number up any more.
void replace(std::size_t at, const entry& by) {
  const entry old = std::exchange(master[at], by);
  publish(at);
  if (old.unloaded != 0 && is_snapshot(old)) ::close(static_cast<int>(old.snapshot));
}

void close_snapshot(std::size_t at) {
  entry without = master[at];
  without.snapshot = -1;
  replace(at, without);
}

// The one that was unloaded first; among loaded ones, the one that was loaded first.
std::size_t oldest(auto&& eligible) {
  const auto age = [](const entry& one) { return std::tie(one.unloaded, one.ticket); };
  std::size_t found = capacity;
  for (std::size_t i = 0; i < capacity; ++i) {
    if (eligible(master[i]) && (found == capacity || age(master[i]) < age(master[found]))) found = i;
  }
  return found;
}

bool is_unloaded(const entry& one) { return one.ticket != 0 && one.unloaded != 0; }
bool holds_snapshot(const entry& one) { return is_unloaded(one) && one.snapshot >= 0; }

// A slot for `next`: a free one, or that of the entry which will be missed least. Unloaded ones come first, then those
// from before the current generation of their library: calls go there no more, only kept pointers lead there.
std::size_t slot_for(const entry& next) {
  const auto is_past = [&](const entry& one) {
    return one.path == next.path || std::any_of(master.begin(), master.end(), [&](const entry& other) {
             return other.ticket > one.ticket && other.path == one.path;  // the cheap question first
           });
  };
  std::size_t at = oldest([](const entry& one) { return one.ticket == 0; });
  if (at == capacity) at = oldest(is_unloaded);
  if (at == capacity) at = oldest(is_past);
  return at;
}

void trim() {
  while (std::count_if(master.begin(), master.end(), is_unloaded) > static_cast<std::ptrdiff_t>(remembered)) {
    replace(oldest(is_unloaded), entry{});
  }
  const auto bytes_kept = [] {
    std::uint64_t sum = 0;
    struct stat status {};
    for (const entry& one : master) {
      if (holds_snapshot(one) && ::fstat(static_cast<int>(one.snapshot), &status) == 0) {
        sum += static_cast<std::uint64_t>(status.st_size);
      }
    }
    return sum;
  };
  while (oldest(holds_snapshot) != capacity && (!keeping || bytes_kept() > remembered_bytes)) {
    close_snapshot(oldest(holds_snapshot));
  }
}

void set_addresses(entry& one, std::span<const load_segment> segments) {
  std::size_t ranges = 0;
  for (const load_segment& segment : segments) {
    const std::uintptr_t begin = one.base + segment.address;
    const address_range range{begin, begin + segment.memory_size};
    one.image.begin = one.image.end == 0 ? range.begin : std::min(one.image.begin, range.begin);
    one.image.end = std::max(one.image.end, range.end);
    if ((segment.flags & PF_X) == 0) continue;
    if (ranges < one.code.size()) {
      one.code[ranges++] = range;
    } else {
      one.code.back().end = std::max(one.code.back().end, range.end);  // segments come in order of address
    }
  }
}

}  // namespace

std::uint64_t add(std::uint64_t number, std::string_view path, std::uintptr_t base,
                  std::span<const load_segment> segments, int snapshot) {
  // A child that is forked while another thread is in here shall find the table whole and the mutex free.
  [[maybe_unused]] static const int registered =
      ::pthread_atfork([] { writer.lock(); }, [] { writer.unlock(); }, [] { writer.unlock(); });
  const std::lock_guard lock(writer);
  entry one;
  one.number = number;
  one.base = base;
  set_addresses(one, segments);
  one.loaded = nanoseconds_now();
  one.snapshot = snapshot;
  struct stat status {};
  if (::fstat(snapshot, &status) == 0) {
    one.device = status.st_dev;
    one.inode = status.st_ino;
  }
  if (path.size() >= one.path.size()) path.remove_prefix(path.size() - (one.path.size() - 1));
  path.copy(one.path.data(), path.size());

  const std::size_t at = slot_for(one);
  if (at == capacity) return 0;
  one.ticket = ++last_ticket;
  replace(at, one);
  return one.ticket;
}

std::uint64_t renew(std::uint64_t ticket) noexcept {
  const std::lock_guard lock(writer);
  if (ticket == 0) return 0;
  for (std::size_t at = 0; at < capacity; ++at) {
    if (master[at].ticket != ticket) continue;
    entry again = master[at];
    again.ticket = ++last_ticket;
    replace(at, again);
    return again.ticket;
  }
  return 0;
}

void remove(std::uint64_t ticket) {
  if (ticket == 0) return;
  const std::lock_guard lock(writer);
  for (std::size_t at = 0; at < capacity; ++at) {
    if (master[at].ticket != ticket || master[at].unloaded != 0) continue;
    entry gone = master[at];
    gone.unloaded = nanoseconds_now();
    const bool kept = keeping && is_snapshot(gone);
    gone.snapshot = kept ? ::fcntl(static_cast<int>(gone.snapshot), F_DUPFD_CLOEXEC, STDERR_FILENO + 1) : -1;
    replace(at, gone);
    trim();
    return;
  }
}

void keep_snapshots(bool keep) {
  const std::lock_guard lock(writer);
  keeping = keep;
  trim();
}

std::array<std::span<const std::byte>, 2> own_memory() noexcept {
  return {std::as_bytes(std::span(slots)), std::as_bytes(std::span(master))};
}

bool read(std::size_t at, entry& into) noexcept {
  const slot& from = slots[at];
  for (int attempt = 0; attempt < 100; ++attempt) {
    const std::uint32_t before = from.version.load(std::memory_order_acquire);
    if (before % 2 != 0) continue;
    words copy;
    for (std::size_t i = 0; i < copy.size(); ++i) copy[i] = from.content[i].load(std::memory_order_acquire);
    if (from.version.load(std::memory_order_relaxed) != before) continue;
    std::memcpy(static_cast<void*>(&into), copy.data(), sizeof into);
    return into.ticket != 0;
  }
  return false;
}

}  // namespace autoreload::crash_table
