// SPDX-License-Identifier: MIT
// optional_parts: the carrier of state and the guard, for a library of the program's, as far as they are built in.
#pragma once

#include <autoreload/options.hpp>

#include "exec/agent_orders.hpp"
#include "exec/linked_library.hpp"

namespace autoreload::exec {

/// @param to  the options of the library's engine, which is not made yet
void add_optional_parts(options& to, linked_library& of, const agent_orders& orders);

}  // namespace autoreload::exec
