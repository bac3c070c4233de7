// SPDX-License-Identifier: MIT
// spell: writes a described type as C would declare it.
#pragma once

#include <string>
#include <string_view>

#include "types/description.hpp"

namespace autoreload::types {

/// `const struct point *`, `int32_t (void)`, `void (*)(int)`; with a name: `int foo(void)`.
[[nodiscard]] std::string spell(const description& in, type_index index, std::string_view name = {});
/// `(const struct point *, ...)`: a function type's parameters.
[[nodiscard]] std::string spell_parameters(const description& in, const type& function);
/// Whether a type of this kind is named by a tag.
[[nodiscard]] inline bool has_tag(kind k) { return k == kind::structure || k == kind::unite || k == kind::enumeration; }
/// `struct point`, `enum color`, `point_t`: what a struct, union or enumeration is called.
/// @param known_as  its name where it has no tag, for example that of a typedef; may be empty
[[nodiscard]] std::string spell_tag(const type& of, std::string_view known_as = {});

}  // namespace autoreload::types
