// SPDX-License-Identifier: MIT
// raw: the three calls of dlfcn.
#include <autoreload/backends/raw.hpp>

namespace autoreload::raw {

result<void*> open(const char* path, int flags) { return autoreload::detail::open_file(path, flags); }

void* find(void* handle, const char* name) noexcept { return ::dlsym(handle, name); }

result<void> close(void* handle, const char* path) { return autoreload::detail::close_file(handle, path); }

}  // namespace autoreload::raw
