// SPDX-License-Identifier: MIT
// backend: the contract that every loader backend keeps, so that no caller needs to know which one it holds.
#pragma once

#include <dlfcn.h>

#include <concepts>
#include <string_view>

#include <autoreload/error.hpp>
#include <autoreload/symbol.hpp>

namespace autoreload {

/// dlopen's flags when nothing else is asked for: bind everything now (a missing symbol is an error here, not an exit
/// at its first call) and keep the library's names from other libraries.
inline constexpr int default_load_flags = RTLD_NOW | RTLD_LOCAL;

/// A loaded library together with its filled API struct.
///
/// - `M::load(path, flags)` opens the file with dlopen and fills the struct, all required symbols or nothing; when it
///   fails nothing stays open. The error has stage load, the path, every missing symbol, and dlerror's text. A path
///   that is null or empty is an error, too: to dlopen it means the program itself.
/// - `m.api()` is the struct: valid at one address, also across moves of m, until unload or destruction.
/// - `m.handle()` is dlopen's handle, null once unloaded. The engine asks the loader about it by dlinfo and by
///   RTLD_NOLOAD, so the library must be in the program's own namespace, not in one of dlmopen's.
/// - `m.unload()` closes; a second call does nothing. It says dlclose's own failure; it does not promise that the code
///   left memory (see reload/retire/retire.hpp for who checks that).
/// - moved-from or unloaded, m can only be destroyed, assigned to or asked for its (null) handle.
///
/// Thread-safety: one thread at a time for each object; different objects at will.
template <class M, class Api>
concept loaded_module = std::movable<M> && requires(M m, const M cm, const char* path, int flags) {
  { M::load(path, flags) } -> std::same_as<result<M>>;
  { cm.api() } -> std::same_as<const Api&>;
  { cm.handle() } -> std::same_as<void*>;
  { m.unload() } -> std::same_as<result<void>>;
};

namespace detail {
struct probe_api {
  required_as<"probe", int()> probe;
};
}  // namespace detail

/// A loader backend: a type with a `name` and a class template `module<Api>` that is a loaded_module for every Api.
template <class B>
concept loader_backend = requires {
  { B::name } -> std::convertible_to<std::string_view>;
  typename B::template module<detail::probe_api>;
}
&&loaded_module<typename B::template module<detail::probe_api>, detail::probe_api>;

}  // namespace autoreload
