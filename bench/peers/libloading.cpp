// SPDX-License-Identifier: MIT
// libloading: the Rust loader, through a small C interface.
#include <stdexcept>

#include "libloading/peer.h"
#include "peer.hpp"

namespace bench {
namespace {

class held final : public opened {
 public:
  explicit held(const char* path) : held_(libloading_open(path)) {
    if (held_ == nullptr) throw std::runtime_error("libloading can't open the library");
  }
  ~held() override { libloading_close(held_); }
  std::int32_t run(int calls, std::int32_t x) override { return libloading_run(held_, calls, x); }
  std::int32_t run_looked_up(int calls, std::int32_t x) override { return libloading_run_looked_up(held_, calls, x); }

 private:
  libloading_held* held_;
};

const add_peer added({"libloading", "Library::new (RTLD_LAZY, its default), get, a call, drop (Rust)",
                      "a Symbol, kept (Rust)", "Library::get for each call (Rust)", &libloading_load, &open_by<held>});

}  // namespace
}  // namespace bench
