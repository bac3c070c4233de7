// SPDX-License-Identifier: MIT
// dlfcn: the system's own calls, the floor under all others.
#include <dlfcn.h>

#include "peer.hpp"

namespace bench {
namespace {

step_function find(void* handle) { return reinterpret_cast<step_function>(dlsym(handle, step_name)); }

std::int32_t load(const char* path, std::int32_t x) {
  void* const handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) return -1;
  x = find(handle)(x);
  dlclose(handle);
  return x;
}

class held final : public opened_by<held> {
 public:
  explicit held(const char* path) : handle_(dlopen(path, RTLD_NOW | RTLD_LOCAL)), step_(find(handle_)) {}
  ~held() override { dlclose(handle_); }
  std::int32_t call(std::int32_t x) { return step_(x); }
  std::int32_t look_up_and_call(std::int32_t x) { return find(handle_)(x); }

 private:
  void* handle_;
  step_function step_;
};

const add_peer added({"dlfcn", "dlopen(RTLD_NOW | RTLD_LOCAL), dlsym, a call, dlclose",
                      "a function pointer from dlsym, kept", "dlsym for each call", &load, &open_by<held>});

}  // namespace
}  // namespace bench
