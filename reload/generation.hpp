// SPDX-License-Identifier: MIT
// generation: one loaded version of the library and what it needs as long as it is loaded.
#pragma once

#include <cstdint>
#include <memory>

#include <autoreload/engine.hpp>

#include "dependencies.hpp"
#include "inspect.hpp"
#include "snapshot.hpp"

namespace autoreload {

struct generation {
  std::uint64_t number = 0;
  std::uint64_t crash_ticket = 0;  // of the crash table
  snapshot image;                  // outlives the module: its descriptor's number is in the link map's name
  elf_facts facts;
  private_libraries needs;  // closed after the module
  std::unique_ptr<detail::erased_module> module;
};

}  // namespace autoreload
