// SPDX-License-Identifier: MIT
// table_room: a build's table of functions lies behind its own variables, and so belongs to the build: who has the
// table's address is found by whoever looks who may come back to the build.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include <autoreload/engine.hpp>

namespace autoreload::exec {

struct table_room {
  detail::copy_edit edit;     ///< of the program header whose segment grows
  std::uint64_t address = 0;  ///< in the file's terms
};

/// @param build  an inspected library's bytes. @param size  of the table, in bytes
/// @return nothing where the last segment can't be written to
[[nodiscard]] std::optional<table_room> room_for_table(std::span<const std::byte> build, std::uint64_t size);

}  // namespace autoreload::exec
