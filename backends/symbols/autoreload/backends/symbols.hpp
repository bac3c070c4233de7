// SPDX-License-Identifier: MIT
// symbols: a struct of function pointers, declared once from the C header and filled whole at load.
#pragma once

#include <memory>
#include <string_view>
#include <utility>

#include <autoreload/backend.hpp>

namespace autoreload::symbols {

namespace detail {
struct closer {
  void operator()(void* handle) const noexcept { ::dlclose(handle); }
};
using unique_handle = std::unique_ptr<void, closer>;

[[nodiscard]] AUTORELOAD_API result<unique_handle> open(const char* path, int flags);
[[nodiscard]] AUTORELOAD_API result<void> close(unique_handle handle);
}  // namespace detail

/// A loaded library that *is* its API struct: `auto foo = symbols::module<FooApi>::load("libfoo.so"); foo->foo();`.
/// All required symbols or nothing; every missing one is named at once.
template <class Api>
class module {
 public:
  /// Opens a library and fills the struct.
  /// @param path   the file
  /// @param flags  dlopen's
  /// @return the module, or an error of stage load that names every missing symbol, with nothing left open
  [[nodiscard]] static result<module> load(const char* path, int flags = default_load_flags) {
    auto handle = detail::open(path, flags);
    if (!handle) return handle.error();
    auto api = bind<Api>(path, [&](const symbol_info& symbol) { return ::dlsym(handle->get(), symbol.name); });
    if (!api) return api.error();
    return module(*std::move(handle), *std::move(api));
  }

  /// The filled struct's members: `foo->bar()`.
  [[nodiscard]] const Api* operator->() const noexcept { return api_.get(); }
  /// The filled struct: valid at one address until unload or destruction.
  [[nodiscard]] const Api& api() const noexcept { return *api_; }
  /// dlopen's handle, or null once unloaded.
  [[nodiscard]] void* handle() const noexcept { return handle_.get(); }

  /// Closes the library; a second call does nothing. @return an error of stage retire with dlclose's own words
  result<void> unload() {
    api_.reset();
    return detail::close(std::move(handle_));
  }

 private:
  module(detail::unique_handle handle, std::unique_ptr<const Api> api) :handle_(std::move(handle)),
      api_(std::move(api)) {}

  detail::unique_handle handle_;
  std::unique_ptr<const Api> api_;
};

/// The tag by which a `reloadable` is told to load by this backend.
struct backend {
  static constexpr std::string_view name = "symbols";  ///< as the demo and the tests call it
  /// What loads a library for an API struct.
  template <class Api>
  using module = symbols::module<Api>;
};
static_assert(loader_backend<backend>);

}  // namespace autoreload::symbols
