// SPDX-License-Identifier: MIT
// raw: plain dlfcn. The caller owns the handle, closes it, and caches the pointers.
#pragma once

#include <string_view>
#include <utility>

#include <autoreload/library_module.hpp>

/// Plain dlfcn.
namespace autoreload::raw {

/// dlopen. @param path the file  @param flags as dlopen takes them  @return the handle, which the caller must close
[[nodiscard]] AUTORELOAD_API result<void*> open(const char* path, int flags = default_load_flags);

/// dlsym. @return the address, or null when there is none; cast it to the function's type and keep it. It dangles as
/// soon as the handle is closed, and nothing will say so.
[[nodiscard]] AUTORELOAD_API void* find(void* handle, const char* name) noexcept;

/// dlclose. @param handle of open()  @param path for the error
AUTORELOAD_API result<void> close(void* handle, const char* path);

namespace detail {
// The handle as the contract's module owns it: these three calls, and what a careful caller of them writes.
class library {
 public:
  [[nodiscard]] static result<library> open(const char* path, int flags) {
    const result<void*> opened = raw::open(path, flags);
    if (!opened) return opened.error();
    return library(*opened);
  }
  library(library&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  library& operator=(library&& other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  ~library() { (void)close(); }

  [[nodiscard]] void* find(const char* name) const noexcept { return raw::find(handle_, name); }
  [[nodiscard]] void* handle() const noexcept { return handle_; }
  result<void> close() {
    if (handle_ == nullptr) return {};
    return raw::close(std::exchange(handle_, nullptr), "");
  }

 private:
  explicit library(void* handle) noexcept : handle_(handle) {}

  void* handle_;
};
}  // namespace detail

/// The contract's module: a handle and the pointers that were found in it, side by side.
template <class Api>
using module = library_module<Api, detail::library>;

/// The tag by which a `reloadable` is told to load by this backend.
struct backend {
  static constexpr std::string_view name = "raw";  ///< as the demo and the tests call it
  /// What loads a library for an API struct.
  template <class Api>
  using module = raw::module<Api>;
};
static_assert(loader_backend<backend>);

}  // namespace autoreload::raw
