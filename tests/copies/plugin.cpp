// SPDX-License-Identifier: MIT
// plugin: has a static copy of autoreload of its own, and calls the host's library by that.
#include <cstdlib>
#include <string>

#include "shared.hpp"

namespace {

std::string thrown;

const char* construct(const char* path) {
  thrown.clear();
  try {
    const library own(path);
    (void)own->number();
  } catch (const std::exception& failure) {
    thrown = failure.what();
  }
  return thrown.c_str();
}

int call(library& lib) { return lib->number(); }
int stay(library& lib, void (*inside)(void*), void* argument) { return lib->visit(inside, argument); }

// A constructor that calls back into the host, as plugins do that register themselves. The host exports nothing.
[[maybe_unused]] const bool introduced = [] {
  if (const char* const address = std::getenv("COPIES_CALL")) {
    reinterpret_cast<void (*)()>(std::strtoull(address, nullptr, 16))();
  }
  return true;
}();

}  // namespace

extern "C" __attribute__((visibility("default"))) const plugin the_plugin{&call, &stay, &construct};
