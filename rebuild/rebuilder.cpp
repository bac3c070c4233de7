// SPDX-License-Identifier: MIT
// rebuilder: the public face of the worker.
#include <autoreload/rebuild.hpp>

#include "rebuild/worker.hpp"

namespace autoreload {

rebuilder::rebuilder(std::string library, rebuild_options options) {
  const auto refuse = [&](const char* reason, const char* advice) {
    throw error(stage::use, library, reason).advise(advice);
  };
  if (library.empty()) refuse("the library's path is empty", "give the path of the library that is built");
  if (options.time_limit.count() <= 0) refuse("rebuild_options::time_limit is not positive", "give it some minutes");
  if (options.poll_interval.count() <= 0)
    refuse("rebuild_options::poll_interval is not positive", "give it some 100 ms");
  if (!options.command.empty() && options.command[0].empty()) {
    refuse("the first word of rebuild_options::command is empty", "it is the program to run");
  }
  worker_ = std::make_unique<worker>(std::move(library), std::move(options));
}

rebuilder::~rebuilder() = default;

void rebuilder::rebuild() { worker_->ask(); }
std::string rebuilder::command() const { return worker_->command(); }
std::vector<std::string> rebuilder::sources() const { return worker_->sources(); }

}  // namespace autoreload
