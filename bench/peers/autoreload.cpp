// SPDX-License-Identifier: MIT
// autoreload: this project's three backends, and its engine.
#include <autoreload/autoreload.hpp>

#include "callee.h"
#include "peer.hpp"

namespace bench {
namespace {

struct step_api {
  autoreload::required<::callee_step> step;
};

template <class Backend>
std::int32_t load_by(const char* path, std::int32_t x) {
  auto library = Backend::template module<step_api>::load(path, autoreload::default_load_flags).value();
  return library.api().step(x);
}

class raw final : public opened_by<raw> {
 public:
  explicit raw(const char* path)
      : handle_(autoreload::raw::open(path).value()),
        step_(reinterpret_cast<step_function>(autoreload::raw::find(handle_, step_name))) {}
  ~raw() override { (void)autoreload::raw::close(handle_, ""); }
  std::int32_t call(std::int32_t x) { return step_(x); }
  std::int32_t look_up_and_call(std::int32_t x) {
    return reinterpret_cast<step_function>(autoreload::raw::find(handle_, step_name))(x);
  }

 private:
  void* handle_;
  step_function step_;
};

class raii final : public opened_by<raii> {
 public:
  explicit raii(const char* path)
      : library_(autoreload::raii::library::open(path).value()),
        step_(library_.get<std::int32_t(std::int32_t)>(step_name).value()) {}
  std::int32_t call(std::int32_t x) { return step_(x); }
  std::int32_t look_up_and_call(std::int32_t x) { return (*library_.get<std::int32_t(std::int32_t)>(step_name))(x); }

 private:
  autoreload::raii::library library_;
  autoreload::raii::symbol<std::int32_t(std::int32_t)> step_;
};

class symbols final : public opened_by<symbols> {
 public:
  explicit symbols(const char* path) : library_(autoreload::symbols::module<step_api>::load(path).value()) {}
  std::int32_t call(std::int32_t x) { return library_->step(x); }
  static std::int32_t look_up_and_call(std::int32_t x) { return x; }  // no row asks for it

 private:
  autoreload::symbols::module<step_api> library_;
};

class reloadable final : public opened_by<reloadable> {
 public:
  explicit reloadable(const char* path) : library_(path, manual()) { autoreload::attach_thread(); }
  std::int32_t call(std::int32_t x) { return library_->step(x); }
  static std::int32_t look_up_and_call(std::int32_t x) { return x; }  // no row asks for it

 private:
  static autoreload::options manual() {
    autoreload::options chosen;
    chosen.drive = autoreload::drive_mode::manual;
    chosen.observer = autoreload::silent;
    return chosen;
  }
  autoreload::reloadable<step_api> library_;
};

const add_peer raw_added({"autoreload_raw", "raw::module<api>::load, api().step(x), destructor",
                          "a function pointer from raw::find, kept", "raw::find for each call",
                          &load_by<autoreload::raw::backend>, &open_by<raw>});
const add_peer raii_added({"autoreload_raii", "raii::module<api>::load, api().step(x), destructor",
                           "a raii::symbol, kept", "raii::library::get for each call",
                           &load_by<autoreload::raii::backend>, &open_by<raii>});
const add_peer symbols_added({"autoreload_symbols", "symbols::module<api>::load, api().step(x), destructor",
                              "module->step(x)", nullptr, &load_by<autoreload::symbols::backend>, &open_by<symbols>});
// Its load is a reload, for which reload_latency has rows.
const add_peer reloadable_added({"autoreload_reloadable", nullptr, "lib->step(x), safe while the library is replaced",
                                 nullptr, nullptr, &open_by<reloadable>});

}  // namespace
}  // namespace bench
