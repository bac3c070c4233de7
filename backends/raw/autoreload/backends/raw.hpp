// SPDX-License-Identifier: MIT
// raw: plain dlfcn. The caller owns the handle, closes it, and caches the pointers.
#pragma once

#include <memory>
#include <string_view>
#include <utility>

#include <autoreload/backend.hpp>

namespace autoreload::raw {

/// dlopen. @param path the file  @param flags as dlopen takes them  @return the handle, which the caller must close
[[nodiscard]] AUTORELOAD_API result<void*> open(const char* path, int flags = default_load_flags);

/// dlsym. @return the address, or null when there is none; cast it to the function's type and keep it. It dangles as
/// soon as the handle is closed, and nothing will say so.
[[nodiscard]] AUTORELOAD_API void* find(void* handle, const char* name) noexcept;

/// dlclose. @param handle of open()  @param path for the error
AUTORELOAD_API result<void> close(void* handle, const char* path);

/// The contract's module: a handle and the pointers that were found in it, side by side.
template <class Api>
class module {
 public:
  /// Opens a library and fills the struct.
  /// @param path   the file
  /// @param flags  dlopen's
  /// @return the module, or an error of stage load that names every missing symbol, with nothing left open
  [[nodiscard]] static result<module> load(const char* path, int flags) {
    result<void*> handle = raw::open(path, flags);
    if (!handle) return handle.error();
    auto api = bind<Api>(path, [&](const symbol_info& symbol) { return raw::find(*handle, symbol.name); });
    if (!api) {
      (void)raw::close(*handle, path);
      return api.error();
    }
    return module(*handle, *std::move(api));
  }

  /// Takes the library over; `other` is unloaded afterwards.
  module(module&& other) noexcept :handle_(std::exchange(other.handle_, nullptr)), api_(std::move(other.api_)) {}
  /// Exchanges the two libraries.
  module& operator=(module&& other) noexcept {
    std::swap(handle_, other.handle_);
    std::swap(api_, other.api_);
    return *this;
  }
  ~module() { (void)unload(); }

  /// The filled struct: valid at one address until unload or destruction.
  [[nodiscard]] const Api& api() const noexcept { return *api_; }
  /// dlopen's handle, or null once unloaded.
  [[nodiscard]] void* handle() const noexcept { return handle_; }

  /// Closes the library; a second call does nothing. @return an error of stage retire with dlclose's own words
  result<void> unload() {
    api_.reset();
    if (handle_ == nullptr) return {};
    return raw::close(std::exchange(handle_, nullptr), "");
  }

 private:
  module(void* handle, std::unique_ptr<const Api> api) :handle_(handle), api_(std::move(api)) {}

  void* handle_;
  std::unique_ptr<const Api> api_;
};

/// The tag by which a `reloadable` is told to load by this backend.
struct backend {
  static constexpr std::string_view name = "raw";  ///< as the demo and the tests call it
  /// What loads a library for an API struct.
  template <class Api>
  using module = raw::module<Api>;
};
static_assert(loader_backend<backend>);

}  // namespace autoreload::raw
