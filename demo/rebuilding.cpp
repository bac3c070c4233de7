// SPDX-License-Identifier: MIT
// rebuilding: the rebuilder, where it is built.
#include "rebuilding.hpp"

#ifdef DEMO_REBUILD
#include <unistd.h>

#include <autoreload/rebuild.hpp>
#include <cstdio>

namespace {

// One line for each thing that happened; of a build that failed all that it printed.
void tell(const autoreload::rebuild_event& happened) {
  if (happened.kind == autoreload::rebuild_kind::build_failed) std::fputs(happened.output.c_str(), stderr);
  std::fprintf(stderr, "%s\n", to_string(happened).c_str());
}

}  // namespace

std::shared_ptr<void> rebuild_on_save(const std::string& library) {
  autoreload::rebuild_options options;
  options.observer = tell;
  options.colours = isatty(STDERR_FILENO) == 1;
  return std::make_shared<autoreload::rebuilder>(library, options);
}
#else
#include <autoreload/error.hpp>

std::shared_ptr<void> rebuild_on_save(const std::string& library) {
  throw autoreload::error(autoreload::stage::use, library, "this demo was built without the rebuilder")
      .advise("configure with -Drebuild=enabled");
}
#endif
