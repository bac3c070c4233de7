// SPDX-License-Identifier: MIT
// loaders: each backend in each idiom that its users write. None of these is safe while the library is being replaced.
#include "bystander.hpp"

namespace bench {
namespace {

class raw_pointer final : public beside_reloads<raw_pointer> {
 public:
  std::int32_t call(std::int32_t x) { return build_.step(x); }

 private:
  loaded_build build_{0};
};

class raw_dlsym_each_call final : public beside_reloads<raw_dlsym_each_call> {
 public:
  std::int32_t call(std::int32_t x) {
    return reinterpret_cast<step_function>(autoreload::raw::find(handle_, "callee_step"))(x);
  }
  ~raw_dlsym_each_call() override { (void)autoreload::raw::close(handle_, callee_builds[0]); }

 private:
  void* handle_ = autoreload::raw::open(callee_builds[0]).value();
};

class raii_symbol_held final : public beside_reloads<raii_symbol_held> {
 public:
  std::int32_t call(std::int32_t x) { return step_(x); }

 private:
  autoreload::raii::symbol<std::int32_t(std::int32_t)> step_ =
      autoreload::raii::library::open(callee_builds[0]).value().get<std::int32_t(std::int32_t)>("callee_step").value();
};

class raii_lookup_each_call final : public beside_reloads<raii_lookup_each_call> {
 public:
  std::int32_t call(std::int32_t x) { return (*library_.get<std::int32_t(std::int32_t)>("callee_step"))(x); }

 private:
  autoreload::raii::library library_ = autoreload::raii::library::open(callee_builds[0]).value();
};

// The struct of the symbols backend, which the three idioms that follow share.
template <class Derived>
class with_struct : public beside_reloads<Derived> {
 protected:
  using module = autoreload::symbols::module<callee_api>;
  module library_ = module::load(callee_builds[0]).value();
};

class symbols_struct final : public with_struct<symbols_struct> {
 public:
  std::int32_t call(std::int32_t x) { return library_->step(x); }
};

class optional_present final : public with_struct<optional_present> {
 public:
  std::int32_t call(std::int32_t x) { return library_->present ? library_->present(x) : x; }
};

class optional_absent final : public with_struct<optional_absent> {
 public:
  std::int32_t call(std::int32_t x) {
    // Nothing is called, so nothing but this keeps the test in the loop.
    asm volatile("" : "+r"(x) : : "memory");
    return library_->absent ? library_->absent(x) : x;
  }
};

}  // namespace

void add_loaders(std::vector<idiom_kind>& to) {
  to.push_back({"raw_pointer", "a function pointer from dlsym, kept; the storm replaces another library",
                idiom_kind::stormy, &make_idiom<raw_pointer>});
  to.push_back(
      {"raw_dlsym_each_call", "raw backend: find() and call", idiom_kind::calm, &make_idiom<raw_dlsym_each_call>});
  to.push_back({"raii_symbol_held", "raii backend: a symbol, kept", idiom_kind::calm, &make_idiom<raii_symbol_held>});
  to.push_back(
      {"raii_lookup_each_call", "raii backend: get() and call", idiom_kind::calm, &make_idiom<raii_lookup_each_call>});
  to.push_back({"symbols_struct", "symbols backend: module->step(x)", idiom_kind::calm, &make_idiom<symbols_struct>});
  to.push_back({"optional_present", "symbols backend: if (module->present) module->present(x)", idiom_kind::calm,
                &make_idiom<optional_present>});
  to.push_back({"optional_absent", "symbols backend: the same test of a symbol that is not there", idiom_kind::calm,
                &make_idiom<optional_absent>});
}

}  // namespace bench
