// SPDX-License-Identifier: MIT
// remembering: what a real library is made to remember, and how it is asked for it.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include <autoreload/autoreload.hpp>

namespace autoreload_test {

/// A library that is carried through its history. Every function of it is called through the engine.
class remembering {
 public:
  remembering() = default;
  remembering(const remembering&) = delete;
  remembering& operator=(const remembering&) = delete;
  virtual ~remembering() = default;
  /// @throws autoreload::error
  virtual void open(const std::string& path, const autoreload::options& how) = 0;
  /// Has it remember more. @param step  0: for the first time
  virtual void remember(int step) = 0;
  /// What it no longer knows of all that it was made to remember up to this step, or empty.
  [[nodiscard]] virtual std::string forgotten(int step) = 0;
  /// Takes the build that is at the path now.
  [[nodiscard]] virtual autoreload::result<void> reload() = 0;
  /// Unloads the old one.
  virtual void poll() = 0;
};

/// The part that is the same for all.
template <class Api>
class remembering_by : public remembering {
 public:
  void open(const std::string& path, const autoreload::options& how) override {
    library_ = std::make_unique<autoreload::reloadable<Api>>(path, how);
  }
  autoreload::result<void> reload() override { return library_->reload(); }
  void poll() override { library_->poll(); }

 protected:
  autoreload::reloadable<Api>& lib() { return *library_; }

 private:
  std::unique_ptr<autoreload::reloadable<Api>> library_;
};

std::unique_ptr<remembering> libxml2();
std::unique_ptr<remembering> libtiff();
std::unique_ptr<remembering> sdl();

}  // namespace autoreload_test
