// SPDX-License-Identifier: MIT
// bystander: an idiom whose library stays while another one, which nobody calls, is replaced.
#pragma once

#include <memory>

#include "builds.hpp"
#include "idiom.hpp"

namespace bench {

template <class Derived>
class beside_reloads : public looped<Derived> {
 public:
  void replace() final {
    if (!other_) other_ = std::make_unique<reloaded_callee<>>();
    other_->replace();
  }

 private:
  std::unique_ptr<reloaded_callee<>> other_;
};

}  // namespace bench
