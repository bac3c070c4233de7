// SPDX-License-Identifier: MIT
// own: a fourth loader backend, made by following CONTRIBUTING.md, in a project of its own. It takes symbols of the
// library itself only.
//
// dlsym also asks the library's dependencies. A function that the library lost but that the C library has, too
// (`index`, `close`, `rand`), is found there, and is then called with the wrong arguments. Here it counts as missing.
#pragma once

#include <dlfcn.h>
#include <link.h>

#include <autoreload/library_module.hpp>
#include <string_view>
#include <utility>

namespace own {

/// dlsym's answer if it lies in the library of this handle, else null.
inline void* find(void* handle, const char* name) noexcept {
  void* const address = ::dlsym(handle, name);
  link_map* library = nullptr;
  link_map* owner = nullptr;
  Dl_info unused;
  const bool known = address != nullptr && ::dlinfo(handle, RTLD_DI_LINKMAP, &library) == 0 &&
                     ::dladdr1(address, &unused, reinterpret_cast<void**>(&owner), RTLD_DL_LINKMAP) != 0;
  return known && owner == library ? address : nullptr;
}

class library {
 public:
  [[nodiscard]] static autoreload::result<library> open(const char* path, int flags) {
    autoreload::result<autoreload::unique_library> opened = autoreload::unique_library::open(path, flags);
    if (!opened) return opened.error();
    return library(*std::move(opened));
  }
  [[nodiscard]] void* find(const char* name) const noexcept { return own::find(handle(), name); }
  [[nodiscard]] void* handle() const noexcept { return opened_.handle(); }
  autoreload::result<void> close() { return opened_.close(); }

 private:
  explicit library(autoreload::unique_library opened) noexcept : opened_(std::move(opened)) {}

  autoreload::unique_library opened_;
};

template <class Api>
using module = autoreload::library_module<Api, library>;

struct backend {
  static constexpr std::string_view name = "own";
  template <class Api>
  using module = own::module<Api>;
};
static_assert(autoreload::loader_backend<backend>);

}  // namespace own
