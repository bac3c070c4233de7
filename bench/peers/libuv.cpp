// SPDX-License-Identifier: MIT
// libuv: uv_dlopen and its kin, with the pointer kept as in its guide on plugins.
#include <uv.h>

#include "peer.hpp"

namespace bench {
namespace {

step_function find(uv_lib_t* library) {
  void* found = nullptr;
  return uv_dlsym(library, step_name, &found) == 0 ? reinterpret_cast<step_function>(found) : nullptr;
}

std::int32_t load(const char* path, std::int32_t x) {
  uv_lib_t library;
  const bool opened = uv_dlopen(path, &library) == 0;
  x = opened ? find(&library)(x) : -1;
  uv_dlclose(&library);
  return x;
}

class held final : public opened_by<held> {
 public:
  explicit held(const char* path) : step_(uv_dlopen(path, &library_) == 0 ? find(&library_) : nullptr) {}
  ~held() override { uv_dlclose(&library_); }
  std::int32_t call(std::int32_t x) { return step_(x); }
  std::int32_t look_up_and_call(std::int32_t x) { return find(&library_)(x); }

 private:
  uv_lib_t library_{};
  step_function step_;
};

const add_peer added({"libuv", "uv_dlopen (RTLD_LAZY, it has no choice), uv_dlsym, a call, uv_dlclose",
                      "a function pointer from uv_dlsym, kept", "uv_dlsym for each call", &load, &open_by<held>});

}  // namespace
}  // namespace bench
