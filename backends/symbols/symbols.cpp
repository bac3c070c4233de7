// SPDX-License-Identifier: MIT
// symbols: opening and closing.
#include <autoreload/backends/symbols.hpp>

namespace autoreload::symbols::detail {

result<unique_handle> open(const char* path, int flags) {
  if (!autoreload::detail::names_a_file(path)) return autoreload::detail::no_path();
  if (void* const handle = ::dlopen(path, flags)) return unique_handle(handle);
  const char* const text = ::dlerror();
  return error(stage::load, path, "dlopen refused it").system(text != nullptr ? text : "");
}

result<void> close(unique_handle handle) {
  if (handle == nullptr || ::dlclose(handle.release()) == 0) return {};
  const char* const text = ::dlerror();
  return error(stage::retire, "", "dlclose refused").system(text != nullptr ? text : "");
}

}  // namespace autoreload::symbols::detail
