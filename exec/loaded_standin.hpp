// SPDX-License-Identifier: MIT
// loaded_standin: the stand-ins that this process has.
#pragma once

#include <link.h>

#include <string>
#include <vector>

#include "exec/standin_format.hpp"

namespace autoreload::exec {

struct loaded_standin {
  standin_header* header = nullptr;
  void* handle = nullptr;  ///< dlopen's; it is never closed, so that stubs stay where they are
  std::string file{};      ///< the loader's name
  bool is_global = false;  ///< its symbols are for all: the program started with it
};

/// The header of a library that is loaded, or null if that is no stand-in. Any thread.
[[nodiscard]] standin_header* header_of(const link_map& library);

/// Of a library that dlopen gave; its header is null if that is no stand-in. Any thread.
[[nodiscard]] loaded_standin standin_of(void* handle);

/// Those that the program started with. To be called before main.
[[nodiscard]] std::vector<loaded_standin> standins_at_start();

}  // namespace autoreload::exec
