// SPDX-License-Identifier: MIT
// order: refuses options that make no sense.
#include <dlfcn.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <system_error>
#include <utility>

#include "reload/pipeline.hpp"

namespace autoreload {
namespace {

// As a string: nothing on the way is resolved, links may be switched later.
std::string from_the_root(const std::string& path) {
  std::error_code failure;
  const std::filesystem::path whole = std::filesystem::absolute(path, failure);
  return failure || path.empty() ? path : whole.string();
}

[[noreturn]] void refuse_use(const order& wanted, const char* reason, const char* advice) {
  throw error(stage::use, wanted.path, reason).advise(advice);
}

}  // namespace

order make_order(const detail::loader& api, std::string path, options chosen) {
  std::string file = from_the_root(path);
  order made{api, std::move(path), std::move(file), std::move(chosen), getpid()};
  const options& given = made.chosen;
  if (made.path.empty() || made.path.find('\0') != std::string::npos) {
    refuse_use(made, "this is no path", "name the library's file");
  }
  if ((given.load_flags & RTLD_NOW) == 0 || (given.load_flags & (RTLD_NOLOAD | RTLD_NODELETE)) != 0) {
    refuse_use(made, "these dlopen flags can't be used for reloading",
               "use RTLD_NOW with RTLD_LOCAL or RTLD_GLOBAL: a lazy binding ends the process at a missing symbol");
  }
  if (given.poll_interval <= std::chrono::milliseconds::zero()) {
    refuse_use(made, "the poll interval is not positive", "give it in milliseconds, 1 or more");
  }
  if (given.handover.limit <= std::chrono::milliseconds::zero() || given.handover.limit > std::chrono::minutes(1)) {
    refuse_use(made, "a handover's limit must be from 1 ms to a minute",
               "callers wait so long at most: 100 ms is usual");
  }
  if (given.poll_interval > std::chrono::hours(24)) {  // and far longer ones would overflow the clock
    refuse_use(made, "the poll interval is longer than a day", "to look only when asked, pause() and call reload()");
  }
  return made;
}

}  // namespace autoreload
