// SPDX-License-Identifier: MIT
// raii: an owning library object and typed symbols that keep it open.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include <autoreload/library_module.hpp>

/// Owning objects.
namespace autoreload::raii {

/// A typed symbol that shares ownership of its library: the code stays loaded while any symbol of it lives, so a call
/// through one can't reach an unloaded library. Calling costs what a function pointer costs; copying, a reference
/// count.
///
/// Thread-safety: as a std::shared_ptr.
template <class T>
class symbol {
 public:
  /// Calls a function symbol.
  template <class... A>
  requires std::is_function_v<T>
  decltype(auto) operator()(A&&... arguments) const { return (*target_)(std::forward<A>(arguments)...); }
  /// A variable symbol's variable.
  T& operator*() const noexcept requires std::is_object_v<T> { return *target_; }

 private:
  friend class library;
  symbol(T* target, std::shared_ptr<void> keeps) noexcept : target_(target), keeps_(std::move(keeps)) {}

  T* target_;
  std::shared_ptr<void> keeps_;
};

/// An open library: movable, closed by its destructor unless symbols still hold it.
class AUTORELOAD_API library {
 public:
  /// @return the library, or an error of stage load with dlerror's text
  [[nodiscard]] static result<library> open(const char* path, int flags = default_load_flags);

  /// A symbol by name and type: `lib.get<int(void)>("foo")`. The type is the caller's word: dlsym can't check it.
  template <class T>
  [[nodiscard]] result<symbol<T>> get(const char* name) const {
    void* const address = find(name);
    if (address == nullptr) {
      return error(stage::load, path_, "a required symbol is missing")
          .missing({{name, detail::c_declaration<T>(name), {}}});
    }
    if constexpr (std::is_function_v<T>) {
      return symbol<T>(reinterpret_cast<T*>(address), shared_);
    } else {
      return symbol<T>(static_cast<T*>(address), shared_);
    }
  }

  /// The bare address, or null. It dangles once the library and its symbols are gone.
  [[nodiscard]] void* find(const char* name) const noexcept;
  /// dlopen's handle, or null when closed or moved from.
  [[nodiscard]] void* handle() const noexcept;
  /// The file, as it was given to open().
  [[nodiscard]] const std::string& path() const noexcept { return path_; }

  /// Closes now. @return an error of stage retire when symbols still hold it (it stays open until they go) or when
  /// dlclose refuses
  result<void> close();

 private:
  struct owned;
  library(std::shared_ptr<owned> shared, std::string path);

  std::shared_ptr<owned> shared_;
  std::string path_;
};

/// The contract's module: a library, and an API struct that can't be had without it.
template <class Api>
using module = library_module<Api, library>;

/// The tag by which a `reloadable` is told to load by this backend.
struct backend {
  static constexpr std::string_view name = "raii";  ///< as the demo and the tests call it
  /// What loads a library for an API struct.
  template <class Api>
  using module = raii::module<Api>;
};
static_assert(loader_backend<backend>);

}  // namespace autoreload::raii
