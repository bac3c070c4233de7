// SPDX-License-Identifier: MIT
// catcher: a stranger's program that hides its own symbols, and catches what the library throws.
#include <autoreload/autoreload.hpp>
#include <cstdio>

struct nothing_api {
  autoreload::required_as<"nothing", int()> nothing;
};

int main() {
  autoreload::options options;
  options.drive = autoreload::drive_mode::manual;
  options.observer = [](const autoreload::event&) {};
  const autoreload::reloadable<nothing_api> lib("./not_built.so", options);
  try {
    lib->nothing();
  } catch (const autoreload::error& failure) {
    std::printf("caught: %s\n", failure.reason().c_str());
    return 0;
  } catch (...) {
    std::puts("caught something else");
  }
  return 1;
}
