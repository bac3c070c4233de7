// SPDX-License-Identifier: MIT
// loaded: which names the dynamic loader knows.
#include "reload/load/loaded.hpp"

#include <link.h>

namespace autoreload {

bool is_loaded(const std::string& name) {
  const auto visit = [](dl_phdr_info* object, std::size_t, void* wanted) -> int {
    return *static_cast<const std::string*>(wanted) == object->dlpi_name ? 1 : 0;
  };
  return dl_iterate_phdr(visit, const_cast<std::string*>(&name)) != 0;
}

}  // namespace autoreload
