// SPDX-License-Identifier: MIT
// guest: looks the agreed names up, and calls what is there under the host's signal mask.
#include "reload/handover/guest.hpp"

#include <dlfcn.h>
#include <elf.h>

#include <exception>
#include <optional>

#include "elf/dynamic_section.hpp"
#include "elf/gnu_hash_table.hpp"
#include "system/cancellation.hpp"
#include "system/host_signals.hpp"

namespace autoreload {

guest_functions find_guest_functions(void* handle, std::uintptr_t base, const elf_view& file,
                                     const handover_options::names& names) {
  const std::uint64_t at = dynamic_section_of(file).gnu_hash;
  std::optional<gnu_hash_table> hashes;
  if (at != 0) hashes = gnu_hash_table::read(file, at);
  const auto find = [&](const std::string& name) -> void* {
    // dlsym takes most of a microsecond to find out that neither the library nor any that it needs has a name.
    if (name.empty() || (hashes && !hashes->may_have(gnu_hash(name.c_str())))) return nullptr;
    void* const found = dlsym(handle, name.c_str());
    if (found == nullptr) return nullptr;
    const load_segment* const segment = file.holding(reinterpret_cast<std::uintptr_t>(found) - base, 1);
    return segment != nullptr && (segment->flags & PF_X) != 0 ? found : nullptr;
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
