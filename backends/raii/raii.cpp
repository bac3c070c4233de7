// SPDX-License-Identifier: MIT
// raii: opening and closing behind a shared handle.
#include <autoreload/backends/raii.hpp>

namespace autoreload::raii {
namespace {

// Runs when the last owner goes. A failure has nobody left to hear it there: close() asks first.
struct closer {
  void operator()(void* handle) const noexcept {
    if (handle != nullptr) ::dlclose(handle);
  }
};

}  // namespace

library::library(void* handle, std::string path) : handle_(handle, closer{}), path_(std::move(path)) {}

result<library> library::open(const char* path, int flags) {
  const result<void*> opened = detail::open_file(path, flags);
  if (!opened) return opened.error();
  return library(*opened, path);
}

void* library::find(const char* name) const noexcept {
  return handle_ == nullptr ? nullptr : ::dlsym(handle_.get(), name);
}

result<void> library::close() {
  if (handle_ == nullptr) return {};
  const long owners = handle_.use_count();
  handle_.reset();
  if (owners == 1) return {};
  return error(stage::retire, path_, std::to_string(owners - 1) + " symbol(s) still hold the library open")
      .advise("it closes when the last of them is destroyed");
}

}  // namespace autoreload::raii
