// SPDX-License-Identifier: MIT
// locks: a lock is asked by its own library's `try` function, which every C library has; what it takes it gives back.
#include "state/locks.hpp"

#include <pthread.h>

#include <array>
#include <string_view>
#include <utility>

#include "state/convert.hpp"

namespace autoreload::state {

namespace {

constexpr std::size_t most_locks = 10'000;

constexpr std::array<std::pair<std::string_view, lock::sort>, 4> names{{{"pthread_mutex_t", lock::sort::mutex},
                                                                        {"mtx_t", lock::sort::mutex},
                                                                        {"pthread_rwlock_t", lock::sort::read_write},
                                                                        {"pthread_spinlock_t", lock::sort::spin}}};

// The typedef's name is all that tells a lock: what is below differs between C libraries.
const std::pair<std::string_view, lock::sort>* as_lock(typed of) {
  for (int i = 0; i < types::deepest; ++i) {
    const types::type& t = of.type();
    if (t.kind != kind::alias && t.kind != kind::qualified) return nullptr;
    for (const auto& known : names) {
      if (t.kind == kind::alias && t.name == known.first) return &known;
    }
    of.index = t.target;
  }
  return nullptr;
}

class finder {
 public:
  finder(const types::variable& v, std::vector<lock>& into) : v_(v), into_(into) {}

  // @return whether there is any in a value of the type
  bool find(typed of, std::uint64_t offset, const std::string& path, int depth) {
    if (--left_ < 0 || depth > types::deepest) return false;
    if (const auto* const found = as_lock(of)) {
      const auto address = locate(v_, offset, size_of(of));
      if (address && into_.size() < most_locks) into_.push_back({path, *address, found->second});
      return true;
    }
    const typed bare = of.bare();
    bool any = false;
    if (bare.type().kind == kind::array) {
      const std::uint64_t size = size_of(bare.target());
      for (std::uint64_t i = 0; i < bare.type().size && size != 0; ++i) {
        const std::string element = path + "[" + std::to_string(i) + "]";
        if (!find({bare.in, bare.type().target}, offset + i * size, element, depth + 1)) break;
        any = true;
      }
    } else if (bare.type().kind == kind::structure) {
      for (const slot& s : slots_of(bare)) {
        if (s.bit_size == 0) any |= find({bare.in, s.type}, offset + s.bit_offset / 8, join(path, s.name), depth + 1);
      }
    }
    return any;
  }

 private:
  const types::variable& v_;
  std::vector<lock>& into_;
  int left_ = 100'000;
};

}  // namespace

void find_locks(const side& in, const types::variable& v, std::vector<lock>& into) {
  finder(v, into).find({in.types.get(), v.type}, 0, called(v), 0);
}

bool is_held(const side& in, const lock& of) {
  void* const at = in.at(of.address);
  switch (of.what) {
    case lock::sort::mutex: {
      auto* const mutex = static_cast<pthread_mutex_t*>(at);
#ifdef __GLIBC__  // its owner may be the caller itself, to whom a recursive one would say yes
      return mutex->__data.__lock != 0;
#else
      if (pthread_mutex_trylock(mutex) != 0) return true;
      pthread_mutex_unlock(mutex);
      return false;
#endif
    }
    case lock::sort::read_write: {
      auto* const both = static_cast<pthread_rwlock_t*>(at);
      if (pthread_rwlock_trywrlock(both) != 0) return true;
      pthread_rwlock_unlock(both);
      return false;
    }
    case lock::sort::spin: {
      auto* const spin = static_cast<pthread_spinlock_t*>(at);
      if (pthread_spin_trylock(spin) != 0) return true;
      pthread_spin_unlock(spin);
      return false;
    }
  }
  return false;
}

}  // namespace autoreload::state
