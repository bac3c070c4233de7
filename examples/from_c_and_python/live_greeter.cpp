// SPDX-License-Identifier: MIT
// live_greeter: the only C++ of a C or Python program. No exception may leave an extern "C" function.
#include "live_greeter.h"

#include <autoreload/autoreload.hpp>
#include <cstdio>

#include "greeter.h"

struct greeter_api {
  autoreload::required<::greet> greet;
};

struct live_greeter : autoreload::reloadable<greeter_api> {
  using reloadable::reloadable;
};

live_greeter* live_greeter_open(const char* path) try {
  return new live_greeter(path);
} catch (const std::exception& failure) {
  std::fprintf(stderr, "%s\n", failure.what());
  return nullptr;
}

int live_greeter_greet(const live_greeter* library, int guests, char* out, unsigned long size) try {
  (*library)->greet(guests, out, size);
  return 0;
} catch (const autoreload::error&) {
  return -1;
}

void live_greeter_close(live_greeter* library) { delete library; }
