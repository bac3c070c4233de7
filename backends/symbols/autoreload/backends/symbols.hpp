// SPDX-License-Identifier: MIT
// symbols: a struct of function pointers, declared once from the C header and filled whole at load.
#pragma once

#include <string_view>

#include <autoreload/library_module.hpp>

/// A struct that is filled whole.
namespace autoreload::symbols {

/// A loaded library that *is* its API struct: `auto foo = symbols::module<FooApi>::load("libfoo.so"); if (foo)
/// (*foo)->foo();`. All required symbols or nothing; every missing one is named at once. The library and its symbols
/// have no other face.
template <class Api>
using module = library_module<Api, unique_library>;

/// The tag by which a `reloadable` is told to load by this backend.
struct backend {
  static constexpr std::string_view name = "symbols";  ///< as the demo and the tests call it
  /// What loads a library for an API struct.
  template <class Api>
  using module = symbols::module<Api>;
};
static_assert(loader_backend<backend>);

}  // namespace autoreload::symbols
