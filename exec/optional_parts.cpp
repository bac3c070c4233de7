// SPDX-License-Identifier: MIT
// optional_parts: each reads debug information by a helper that is no child of the program's.
#include "exec/optional_parts.hpp"

#include "exec/program_guard.hpp"
#include "exec/program_state.hpp"
#if defined(AUTORELOAD_WITH_STATE)
#include <autoreload/automatic_state.hpp>
#endif
#if defined(AUTORELOAD_WITH_GUARD)
#include <autoreload/abi_guard.hpp>
#endif

namespace autoreload::exec {

void add_optional_parts([[maybe_unused]] options& to, [[maybe_unused]] linked_library& of,
                        [[maybe_unused]] const agent_orders& orders) {
#if defined(AUTORELOAD_WITH_STATE)
  if (orders.state) {
    state_options carrying;
    carrying.helper = orders.helper;
    carrying.orphan_helper = true;
    to.state = program_state(automatic_state(carrying), [self = &of] { return self->shared(); });
  }
#endif
#if defined(AUTORELOAD_WITH_GUARD)
  if (orders.guard) {
    abi_guard_options checking;
    checking.helper = orders.helper;
    checking.orphan_helper = true;
    to.guard = program_guard(make_abi_guard(checking), of.standin().file, of.exports());
  }
#endif
}

}  // namespace autoreload::exec
