// SPDX-License-Identifier: MIT
// shared: what the host and its plugins agree on.
#pragma once

#include <autoreload/autoreload.hpp>

struct number_api {
  autoreload::required_as<"number", int()> number;
  autoreload::required_as<"visit", int(void (*)(void*), void*)> visit;  // calls back, then returns its number
};
using library = autoreload::reloadable<number_api>;

/// What a plugin offers.
struct plugin {
  int (*call)(library&);                                         ///< the newest version's number
  int (*stay)(library&, void (*inside)(void*), void* argument);  ///< calls, and calls back from inside
  const char* (*construct)(const char* path);  ///< makes an engine of its own. @return what it threw, or ""
};
