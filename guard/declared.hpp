// SPDX-License-Identifier: MIT
// declared: reads the C declarations that the host's compiler spelled out, for a host without debug information.
#pragma once

#include <span>

#include <autoreload/symbol.hpp>

#include "types/description.hpp"

namespace autoreload::types {

/// What the API struct itself says of its symbols: exact for signatures, but structs, unions and enumerations are only
/// names. A declaration that can't be read (a C++ type's name) becomes an unknown type, which is equal to everything.
[[nodiscard]] description describe_declared(std::span<const symbol_info> symbols);

}  // namespace autoreload::types
