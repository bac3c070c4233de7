// SPDX-License-Identifier: MIT
// library_module: what the backends share: dlfcn's words as errors, and a module made of an open library and its
// struct.
#pragma once

#include <dlfcn.h>

#include <memory>
#include <utility>

#include <autoreload/backend.hpp>

namespace autoreload {

namespace detail {
// dlopen's handle, or why there is none. dlopen itself takes no name, and an empty one, for the program.
[[nodiscard]] inline result<void*> open_file(const char* path, int flags) {
  if (path == nullptr || *path == '\0') {
    return error(stage::load, {}, "this is no path").advise("name the library's file");
  }
  if (void* const handle = ::dlopen(path, flags)) return handle;
  const char* const text = ::dlerror();
  return error(stage::load, path, "dlopen refused it").system(text != nullptr ? text : "");
}

// Nothing, or why dlclose kept it. The path is for the error.
[[nodiscard]] inline result<void> close_file(void* handle, const char* path) {
  if (::dlclose(handle) == 0) return {};
  const char* const text = ::dlerror();
  return error(stage::retire, path, "dlclose refused").system(text != nullptr ? text : "");
}
}  // namespace detail

/// An open library with one owner, closed by its destructor. Thread-safety: one thread at a time for each object.
class unique_library {
 public:
  /// dlopen. @return the library, or an error of stage load with dlerror's text
  [[nodiscard]] static result<unique_library> open(const char* path, int flags) {
    const result<void*> opened = detail::open_file(path, flags);
    if (!opened) return opened.error();
    return unique_library(*opened);
  }
  /// dlsym. @return the address, or null when there is none; it dangles once the library is closed
  [[nodiscard]] void* find(const char* name) const noexcept { return ::dlsym(handle_.get(), name); }
  /// dlopen's handle, or null when closed or moved from.
  [[nodiscard]] void* handle() const noexcept { return handle_.get(); }
  /// dlclose; a second call does nothing. @return an error of stage retire with dlerror's text
  result<void> close() {
    if (handle_ == nullptr) return {};
    return detail::close_file(handle_.release(), "");
  }

 private:
  struct closer {
    void operator()(void* handle) const noexcept { ::dlclose(handle); }
  };
  explicit unique_library(void* handle) noexcept : handle_(handle) {}

  std::unique_ptr<void, closer> handle_;
};

/// A loaded_module made of an open library and of the API struct that was filled from it.
///
/// @tparam Api      the API struct
/// @tparam Library  what a backend brings: a movable class whose destructor closes the library, with `open(path,
///                  flags)`, `find(name)`, `handle()` and `close()` as unique_library has them
template <class Api, class Library>
class library_module {
 public:
  /// Opens a library and fills the struct.
  /// @param path   the file
  /// @param flags  dlopen's
  /// @return the module, or an error of stage load that names every missing symbol, with nothing left open
  [[nodiscard]] static result<library_module> load(const char* path, int flags = default_load_flags) {
    auto opened = Library::open(path, flags);
    if (!opened) return opened.error();
    auto api = bind<Api>(path, [&](const symbol_info& symbol) { return opened->find(symbol.name); });
    if (!api) return api.error();
    return library_module(*std::move(opened), *std::move(api));
  }

  /// The filled struct's members: `foo->bar()`.
  [[nodiscard]] const Api* operator->() const noexcept { return api_.get(); }
  /// The filled struct: valid at one address until unload or destruction.
  [[nodiscard]] const Api& api() const noexcept { return *api_; }
  /// dlopen's handle, or null once unloaded.
  [[nodiscard]] void* handle() const noexcept { return library_.handle(); }

  /// Closes the library; a second call does nothing. @return an error of stage retire with dlclose's own words
  result<void> unload() {
    api_.reset();
    return library_.close();
  }

 private:
  library_module(Library opened, std::unique_ptr<const Api> api) : library_(std::move(opened)), api_(std::move(api)) {}

  Library library_;  // declared first, so destroyed after the struct that points into it
  std::unique_ptr<const Api> api_;
};

}  // namespace autoreload
