// SPDX-License-Identifier: MIT
// poco: POCO's SharedLibrary, with the pointer kept as in its manual.
#include <Poco/SharedLibrary.h>

#include "peer.hpp"

namespace bench {
namespace {

step_function find(Poco::SharedLibrary& library) {
  return reinterpret_cast<step_function>(library.getSymbol(step_name));
}

std::int32_t load(const char* path, std::int32_t x) {
  Poco::SharedLibrary library(path, Poco::SharedLibrary::SHLIB_LOCAL);
  x = find(library)(x);
  library.unload();
  return x;
}

class held final : public opened_by<held> {
 public:
  explicit held(const char* path) : library_(path, Poco::SharedLibrary::SHLIB_LOCAL), step_(find(library_)) {}
  ~held() override { library_.unload(); }
  std::int32_t call(std::int32_t x) { return step_(x); }
  std::int32_t look_up_and_call(std::int32_t x) { return find(library_)(x); }

 private:
  Poco::SharedLibrary library_;
  step_function step_;
};

const add_peer added({"poco", "SharedLibrary(SHLIB_LOCAL; RTLD_LAZY, it has no choice), getSymbol, a call, unload",
                      "a function pointer from getSymbol, kept", "getSymbol for each call", &load, &open_by<held>});

}  // namespace
}  // namespace bench
