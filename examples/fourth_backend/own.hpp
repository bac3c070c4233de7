// SPDX-License-Identifier: MIT
// own: a fourth loader backend, made by following CONTRIBUTING.md, in a project of its own. It takes symbols of the
// library itself only.
//
// dlsym also asks the library's dependencies. A function that the library lost but that the C library has, too
// (`index`, `close`, `rand`), is found there, and is then called with the wrong arguments. Here it counts as missing.
#pragma once

#include <dlfcn.h>
#include <link.h>

#include <autoreload/backend.hpp>
#include <memory>
#include <string_view>
#include <utility>

namespace own {

struct closer {
  void operator()(void* handle) const noexcept { ::dlclose(handle); }
};
using unique_handle = std::unique_ptr<void, closer>;

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

template <autoreload::api_struct Api>
class module {
 public:
  [[nodiscard]] static autoreload::result<module> load(const char* path, int flags) {
    if (path == nullptr || *path == '\0') return autoreload::error(autoreload::stage::load, {}, "this is no path");
    unique_handle handle(::dlopen(path, flags));
    if (handle == nullptr) {
      const char* const text = ::dlerror();
      return autoreload::error(autoreload::stage::load, path, "dlopen refused it").system(text != nullptr ? text : "");
    }
    auto api = autoreload::bind<Api>(
        path, [&](const autoreload::symbol_info& symbol) { return find(handle.get(), symbol.name); });
    if (!api) return api.error();
    return module(std::move(handle), *std::move(api));
  }

  [[nodiscard]] const Api& api() const noexcept { return *api_; }
  [[nodiscard]] void* handle() const noexcept { return handle_.get(); }

  autoreload::result<void> unload() {
    api_.reset();
    if (handle_ == nullptr || ::dlclose(handle_.release()) == 0) return {};
    const char* const text = ::dlerror();
    return autoreload::error(autoreload::stage::retire, "", "dlclose refused").system(text != nullptr ? text : "");
  }

 private:
  module(unique_handle handle, std::unique_ptr<const Api> api) :handle_(std::move(handle)), api_(std::move(api)) {}

  unique_handle handle_;  // declared first, so closed after the struct that points into it is gone
  std::unique_ptr<const Api> api_;
};

struct backend {
  static constexpr std::string_view name = "own";
  template <class Api>
  using module = own::module<Api>;
};
static_assert(autoreload::loader_backend<backend>);

}  // namespace own
