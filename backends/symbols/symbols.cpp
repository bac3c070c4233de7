// SPDX-License-Identifier: MIT
// symbols: opening and closing.
#include <autoreload/backends/symbols.hpp>

namespace autoreload::symbols::detail {

result<unique_handle> open(const char* path, int flags) {
  const result<void*> opened = autoreload::detail::open_file(path, flags);
  if (!opened) return opened.error();
  return unique_handle(*opened);
}

result<void> close(unique_handle handle) {
  if (handle == nullptr || ::dlclose(handle.release()) == 0) return {};
  const char* const text = ::dlerror();
  return error(stage::retire, "", "dlclose refused").system(text != nullptr ? text : "");
}

}  // namespace autoreload::symbols::detail
