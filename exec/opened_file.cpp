// SPDX-License-Identifier: MIT
// opened_file: as ld.so(8) says.
#include "exec/opened_file.hpp"

#include <dlfcn.h>
#include <link.h>
#include <unistd.h>

#include "exec/files.hpp"
#include "exec/user_library.hpp"
#include "reload/dependencies/search_path.hpp"

namespace autoreload::exec {
namespace {

struct object {
  const void* address;
  bool found = false;
  bool has_run_path = false;
};

bool holds(const dl_phdr_info& one, const void* address) {
  const auto at = reinterpret_cast<std::uintptr_t>(address) - one.dlpi_addr;
  for (int i = 0; i < one.dlpi_phnum; ++i) {
    const ElfW(Phdr)& part = one.dlpi_phdr[i];
    if (part.p_type == PT_LOAD && at - part.p_vaddr < part.p_memsz) return true;
  }
  return false;
}

// The caller's run path, and those of the libraries that led to it, come into play.
bool has_run_path(const void* caller) {
  object wanted{caller};
  dl_iterate_phdr(
      [](dl_phdr_info* one, std::size_t, void* argument) {
        object& here = *static_cast<object*>(argument);
        if (!holds(*one, here.address)) return 0;
        here.found = true;
        for (int i = 0; i < one->dlpi_phnum; ++i) {
          if (one->dlpi_phdr[i].p_type != PT_DYNAMIC) continue;
          const auto* entry = reinterpret_cast<const ElfW(Dyn)*>(one->dlpi_addr + one->dlpi_phdr[i].p_vaddr);
          for (; entry->d_tag != DT_NULL; ++entry)
            here.has_run_path |= entry->d_tag == DT_RPATH || entry->d_tag == DT_RUNPATH;
        }
        return 1;
      },
      &wanted);
  return !wanted.found || wanted.has_run_path;
}

bool is_library(const std::string& path) { return access(path.c_str(), R_OK) == 0 && loader_would_take(path); }

}  // namespace

std::string file_of(const std::string& name, const void* caller) {
  if (name.find('$') != std::string::npos) return {};
  if (name.find('/') != std::string::npos) return is_library(name) ? real_path(name) : std::string();
  if (void* const loaded = dlopen(name.c_str(), RTLD_NOLOAD | RTLD_LAZY)) {
    dlclose(loaded);
    return {};
  }
  const process_search_path places = process_directories();
  if (!places.inherited.empty() || has_run_path(caller)) return {};
  for (const std::string& directory : places.environment) {
    const std::string path = directory + "/" + name;
    if (is_library(path)) return real_path(path);
  }
  const std::string cached = loader_cache().find(name);
  return cached.empty() ? std::string() : real_path(cached);
}

bool is_own_code(const void* address) {
  static const link_map* const own = [] {
    Dl_info at{};
    link_map* map = nullptr;
    dladdr1(reinterpret_cast<const void*>(&is_own_code), &at, reinterpret_cast<void**>(&map), RTLD_DL_LINKMAP);
    return map;
  }();
  Dl_info at{};
  link_map* map = nullptr;
  if (own == nullptr) return false;
  return dladdr1(address, &at, reinterpret_cast<void**>(&map), RTLD_DL_LINKMAP) != 0 && map == own;
}

}  // namespace autoreload::exec
