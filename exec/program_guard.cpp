// SPDX-License-Identifier: MIT
// program_guard: a checker around another one, which it asks about each build but the one that the program started
// with.
#include "exec/program_guard.hpp"

#include <fcntl.h>

#include <utility>

#include <autoreload/abi_guard.hpp>

#include "system/unique_fd.hpp"
#include "types/debug_input.hpp"

namespace autoreload::exec {
namespace {

class checker final : public abi_checker {
 public:
  checker(std::shared_ptr<abi_checker> guard, const std::string& first, std::vector<exported_name> exports)
      : guard_(std::move(guard)), exports_(std::move(exports)), first_(open(first.c_str(), O_RDONLY | O_CLOEXEC)) {
    for (const exported_name& one : exports_) symbols_.push_back({one.name.c_str(), false, one.function, 0, nullptr});
  }

  guard_verdict check(const guard_request& request) override {
    if (!first_.still_ours())
      return {false, {}, {"the build that the program started with can't be read: nothing is compared"}};
    guard_request asked = request;
    asked.running = first_.get();
    asked.symbols = symbols_;
    asked.linked = true;
    guard_verdict verdict = guard_->check(asked);
    verdict.advice = "start the program anew, undo the change, or let it be by --no-guard";
    if (!std::exchange(looked_, true) &&
        !types::find_debug_input(first_.get(), request.path, abi_guard_options().debug_roots).any) {
      verdict.notes.emplace_back(
          "the build that the program started with has no debug information (-g): prototypes and layouts are not "
          "compared");
    }
    return verdict;
  }

 private:
  const std::shared_ptr<abi_checker> guard_;
  const std::vector<exported_name> exports_;
  std::vector<symbol_info> symbols_;
  const unique_fd first_;  // the build that the program started with
  bool looked_ = false;
};

}  // namespace

std::shared_ptr<abi_checker> program_guard(std::shared_ptr<abi_checker> guard, const std::string& first,
                                           std::vector<exported_name> exports) {
  return std::make_shared<checker>(std::move(guard), first, std::move(exports));
}

}  // namespace autoreload::exec
