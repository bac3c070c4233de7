// SPDX-License-Identifier: MIT
// libltdl: libtool's portable dlopen, with the pointer kept as in its manual's example.
#include <ltdl.h>

#include "peer.hpp"

namespace bench {
namespace {

step_function find(lt_dlhandle library) { return reinterpret_cast<step_function>(lt_dlsym(library, step_name)); }

std::int32_t load(const char* path, std::int32_t x) {
  const lt_dlhandle library = lt_dlopen(path);
  if (library == nullptr) return -1;
  x = find(library)(x);
  lt_dlclose(library);
  return x;
}

class held final : public opened_by<held> {
 public:
  explicit held(const char* path) : library_(lt_dlopen(path)), step_(find(library_)) {}
  ~held() override { lt_dlclose(library_); }
  std::int32_t call(std::int32_t x) { return step_(x); }
  std::int32_t look_up_and_call(std::int32_t x) { return find(library_)(x); }

 private:
  lt_dlhandle library_;
  step_function step_;
};

const bool ready = lt_dlinit() == 0;  // once for the program, as its manual has it
const add_peer added({"libltdl", "lt_dlopen (RTLD_LAZY), lt_dlsym, a call, lt_dlclose",
                      "a function pointer from lt_dlsym, kept", "lt_dlsym for each call", &load, &open_by<held>});

}  // namespace
}  // namespace bench
