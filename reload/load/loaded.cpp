// SPDX-License-Identifier: MIT
// loaded: which names the dynamic loader knows.
#include "reload/load/loaded.hpp"

#include <link.h>

#include <algorithm>
#include <cstdint>
#include <string_view>

namespace autoreload {

bool is_loaded(const std::string& name) {
  const auto visit = [](dl_phdr_info* object, std::size_t, void* wanted) -> int {
    return *static_cast<const std::string*>(wanted) == object->dlpi_name ? 1 : 0;
  };
  return dl_iterate_phdr(visit, const_cast<std::string*>(&name)) != 0;
}

namespace {

// Null when it has none. The loader has relocated the address of the strings, except where the section is read-only,
// and on musl.
const char* soname_of(const dl_phdr_info& object) {
  for (std::size_t i = 0; i < object.dlpi_phnum; ++i) {
    if (object.dlpi_phdr[i].p_type != PT_DYNAMIC) continue;
    std::uintptr_t strings = 0, at = 0;
    bool named = false;
    const auto* entry = reinterpret_cast<const ElfW(Dyn)*>(object.dlpi_addr + object.dlpi_phdr[i].p_vaddr);
    for (; entry->d_tag != DT_NULL; ++entry) {
      if (entry->d_tag == DT_STRTAB) strings = entry->d_un.d_ptr;
      if (entry->d_tag == DT_SONAME) at = entry->d_un.d_val, named = true;
    }
    if (!named || strings == 0) return nullptr;
    return reinterpret_cast<const char*>((strings < object.dlpi_addr ? object.dlpi_addr : 0) + strings + at);
  }
  return nullptr;
}

}  // namespace

loaded_names::loaded_names() {
  dl_iterate_phdr(
      [](dl_phdr_info* object, std::size_t, void* argument) {
        auto& names = *static_cast<std::vector<std::string>*>(argument);
        const std::string_view path(object->dlpi_name);
        if (!path.empty()) names.emplace_back(path.substr(path.rfind('/') + 1));
        if (const char* const soname = soname_of(*object); soname != nullptr && *soname != '\0') {
          names.emplace_back(soname);
        }
        return 0;
      },
      &names_);
  std::sort(names_.begin(), names_.end());
}

bool loaded_names::may_have(const std::string& name) const {
  return std::binary_search(names_.begin(), names_.end(), name);
}

}  // namespace autoreload
