// SPDX-License-Identifier: MIT
// stack_header: a private copy of a library that says nothing of the stack gets the word that the loader listens to.
#pragma once

#include <cstddef>
#include <span>

#include "reload/snapshot/snapshot.hpp"

namespace autoreload {

/// Without PT_GNU_STACK, which tcc and some assemblers' objects lack, glibc takes silence for a wish and makes the
/// stacks of the whole process executable. The copy of such a library gets a program header table that has this entry,
/// too.
///
/// @param image  a copy whose header and program headers are written; grows by up to 64 KiB and the table
/// @param bytes  the library that it is a copy of
/// @return whether it is there now; errno says why not
[[nodiscard]] bool add_stack_header(snapshot& image, std::span<const std::byte> bytes);

}  // namespace autoreload
