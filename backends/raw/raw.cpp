// SPDX-License-Identifier: MIT
// raw: the three calls of dlfcn.
#include <autoreload/backends/raw.hpp>

namespace autoreload::raw {

result<void*> open(const char* path, int flags) { return detail::open_file(path, flags); }

void* find(void* handle, const char* name) noexcept { return ::dlsym(handle, name); }

result<void> close(void* handle, const char* path) {
  if (::dlclose(handle) == 0) return {};
  const char* const text = ::dlerror();
  return error(stage::retire, path, "dlclose refused").system(text != nullptr ? text : "");
}

}  // namespace autoreload::raw
