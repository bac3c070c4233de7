// SPDX-License-Identifier: MIT
// descriptor: a file descriptor that closes itself.
#pragma once

#include <unistd.h>

#include <utility>

namespace autoreload {

class unique_fd {
 public:
  unique_fd() = default;
  explicit unique_fd(int number) noexcept : number_(number) {}
  unique_fd(unique_fd&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  unique_fd& operator=(unique_fd&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  ~unique_fd() {
    if (number_ >= 0) ::close(number_);
  }

  [[nodiscard]] int get() const noexcept { return number_; }
  /// Leaves it open for good: its number must not be given to another file.
  void leak() noexcept { number_ = -1; }
  [[nodiscard]] explicit operator bool() const noexcept { return number_ >= 0; }

 private:
  int number_ = -1;
};

}  // namespace autoreload
