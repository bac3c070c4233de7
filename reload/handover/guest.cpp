// SPDX-License-Identifier: MIT
// guest: looks the agreed names up, and calls what is there under the host's signal mask.
#include "reload/handover/guest.hpp"

#include <dlfcn.h>
#include <elf.h>

#include <exception>

#include "system/cancellation.hpp"
#include "system/host_signals.hpp"

namespace autoreload {

guest_functions find_guest_functions(void* handle, std::uintptr_t base, std::span<const load_segment> segments,
                                     const handover_options::names& names) {
  const auto find = [&](const std::string& name) -> void* {
    void* const found = name.empty() ? nullptr : dlsym(handle, name.c_str());
    const std::uintptr_t at = reinterpret_cast<std::uintptr_t>(found) - base;
    for (const load_segment& one : segments) {
      const bool inside = at >= one.address && at - one.address < one.memory_size;
      if (found != nullptr && inside && (one.flags & PF_X) != 0) return found;
    }
    return nullptr;
  };
  guest_functions all;
  all.save = reinterpret_cast<void* (*)()>(find(names.save));
  all.restore = reinterpret_cast<int (*)(void*)>(find(names.restore));
  all.loaded = reinterpret_cast<void (*)()>(find(names.loaded));
  all.unloading = reinterpret_cast<void (*)()>(find(names.unloading));
  return all;
}

std::string call_guest(void (*function)(), const char* name) {
  if (function == nullptr) return {};
  const hosts_signals while_it_runs;
  const std::optional<std::string> thrown = thrown_by(function);
  return thrown ? std::string(name) + " threw an exception: " + *thrown : std::string();
}

std::string words_of_current_exception() {
  try {
    throw;
  } catch (const cancellation&) {
    throw;
  } catch (const std::exception& thrown) {
    return thrown.what();
  } catch (...) {
    return "it is no std::exception";
  }
}

}  // namespace autoreload
