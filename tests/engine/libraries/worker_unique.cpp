// SPDX-License-Identifier: MIT
// worker_unique: has a static of an inline function, which g++ makes an STB_GNU_UNIQUE symbol: one for all generations,
// and the first library that defines it can't be unloaded.
#include "stamp.h"
#include "worker.h"

template <class T>
struct shared {
  static T& value() {
    static T one = 1;
    return one;
  }
};

extern "C" {
uint64_t worker_stamp() { return stamp.number; }
uint64_t worker_variant() { return shared<uint64_t>::value(); }
}
