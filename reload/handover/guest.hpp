// SPDX-License-Identifier: MIT
// guest: the functions by which a library itself takes part in a handover, found by agreed names.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <autoreload/handover.hpp>

#include "elf/view.hpp"
#include "system/cancellation.hpp"

namespace autoreload {

/// Null where the library has none. They are valid as long as it is loaded.
struct guest_functions {
  void* (*save)() = nullptr;
  int (*restore)(void*) = nullptr;
  void (*loaded)() = nullptr;
  void (*unloading)() = nullptr;
};

/// Those that the library itself defines: not its dependencies', which dlsym would find, too.
/// @param handle  dlopen's
/// @param base    what the loader added to its addresses
/// @param file    what was loaded, inspected
[[nodiscard]] guest_functions find_guest_functions(void* handle, std::uintptr_t base, const elf_view& file,
                                                   const handover_options::names& names);

/// Calls one that takes and returns nothing; null is none. @return what it threw, in words, or empty
[[nodiscard]] std::string call_guest(void (*function)(), const char* name);

/// What the exception that is being handled says. Passes a cancellation on.
[[nodiscard]] std::string words_of_current_exception();

/// Lets somebody else's code work. Passes a cancellation on. @return what it threw, in words
template <class Work>
[[nodiscard]] std::optional<std::string> thrown_by(Work&& work) {
  try {
    work();
    return std::nullopt;
  } catch (const cancellation&) {
    throw;
  } catch (...) {
    return words_of_current_exception();
  }
}

}  // namespace autoreload
