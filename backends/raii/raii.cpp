// SPDX-License-Identifier: MIT
// raii: opening and closing behind a shared handle.
#include <autoreload/backends/raii.hpp>

namespace autoreload::raii {

// What the library and its symbols share. The last of them closes it. Only close() is there to hear of a failure.
struct library::owned {
  explicit owned(unique_library opened) : file(std::move(opened)) {}
  owned(const owned&) = delete;
  owned& operator=(const owned&) = delete;
  ~owned() {
    if (outcome != nullptr) *outcome = file.close();
  }

  unique_library file;
  result<void>* outcome = nullptr;
};

library::library(std::shared_ptr<owned> shared, std::string path)
    : shared_(std::move(shared)), path_(std::move(path)) {}

result<library> library::open(const char* path, int flags) {
  result<unique_library> opened = unique_library::open(path, flags);
  if (!opened) return opened.error();
  return library(std::make_shared<owned>(*std::move(opened)), path);
}

void* library::find(const char* name) const noexcept { return shared_ == nullptr ? nullptr : shared_->file.find(name); }

void* library::handle() const noexcept { return shared_ == nullptr ? nullptr : shared_->file.handle(); }

result<void> library::close() {
  if (shared_ == nullptr) return {};
  const long owners = shared_.use_count();
  result<void> outcome;
  if (owners == 1) shared_->outcome = &outcome;  // one owner can't become two meanwhile: there is nobody to copy from
  shared_.reset();
  if (!outcome) return outcome.error().rename(path_);
  if (owners == 1) return {};
  return error(stage::retire, path_, std::to_string(owners - 1) + " symbol(s) still hold the library open")
      .advise("it closes when the last of them is destroyed");
}

}  // namespace autoreload::raii
