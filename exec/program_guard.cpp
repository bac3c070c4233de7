// SPDX-License-Identifier: MIT
// program_guard: a checker around another one, which it asks about the first build and each newer one.
#include "exec/program_guard.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <utility>

#include <autoreload/abi_guard.hpp>

#include "reload/snapshot/direct_copy.hpp"
#include "system/unique_fd.hpp"
#include "types/debug_input.hpp"

namespace autoreload::exec {
namespace {

class checker final : public abi_checker {
 public:
  checker(std::shared_ptr<abi_checker> guard, first_build first) : guard_(std::move(guard)), first_(std::move(first)) {
    for (const exported_name& one : first_.exports)
      symbols_.push_back({one.name.c_str(), false, one.function, 0, nullptr});
  }

  guard_verdict check(const guard_request& request) override {
    if (!base_) {
      if (is_first(request.candidate)) {
        base_ = unique_fd(fcntl(request.candidate, F_DUPFD_CLOEXEC, 0));
        return {};
      }
      base_ = unique_fd(open(first_.file.c_str(), O_RDONLY | O_CLOEXEC));  // it was replaced before the first look
    }
    guard_request asked = request;
    asked.running = base_.get();
    asked.symbols = symbols_;
    asked.linked = true;
    guard_verdict verdict = guard_->check(asked);
    verdict.advice = "start the program anew, undo the change, or let it be by --no-guard";
    if (!std::exchange(looked_, true) &&
        !types::find_debug_input(base_.get(), request.path, abi_guard_options().debug_roots).any) {
      verdict.notes.emplace_back(
          "the build that the program started with has no debug information (-g): prototypes and layouts are not "
          "compared");
    }
    return verdict;
  }

 private:
  [[nodiscard]] bool is_first(int file) const {
    struct stat status {};
    if (fstat(file, &status) != 0) return false;
    const private_view view(file, static_cast<std::size_t>(status.st_size));
    return first_.is(view.bytes());
  }

  const std::shared_ptr<abi_checker> guard_;
  const first_build first_;
  std::vector<symbol_info> symbols_;
  unique_fd base_;  // with which each build is compared
  bool looked_ = false;
};

}  // namespace

std::shared_ptr<abi_checker> program_guard(std::shared_ptr<abi_checker> guard, first_build first) {
  return std::make_shared<checker>(std::move(guard), std::move(first));
}

}  // namespace autoreload::exec
