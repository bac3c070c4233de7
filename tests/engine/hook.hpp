// SPDX-License-Identifier: MIT
// hook: what a worker library's constructors and destructors call in the host. For one source of a program.
#pragma once

#include <functional>
#include <string_view>
#include <utility>

#include "engine_support.hpp"

namespace support {

inline std::function<void(std::string_view)> on_hook;

/// Sets it for a test.
class hook {
 public:
  explicit hook(std::function<void(std::string_view)> what) { on_hook = std::move(what); }
  ~hook() { on_hook = nullptr; }
  hook(const hook&) = delete;
  hook& operator=(const hook&) = delete;
};

}  // namespace support

extern "C" {
void (*worker_hook)(const char*) = [](const char* where) {
  if (support::on_hook) support::on_hook(where);
};
#ifdef SANITIZED
// The tests of fork start threads in the child.
const char* __tsan_default_options() { return "die_after_fork=0"; }
#endif
}
