// SPDX-License-Identifier: MIT
// boost_dll: Boost.DLL. Its tutorial imports a symbol as a function object that keeps the library loaded.
#include <boost/dll/import.hpp>
#include <boost/dll/shared_library.hpp>
#include <boost/version.hpp>
#include <functional>

#include "peer.hpp"

namespace bench {
namespace {

using step_type = std::int32_t(std::int32_t);

// The name changed in 1.76, when `import` became a keyword.
auto import_step(const char* path) {
#if BOOST_VERSION >= 107600
  return boost::dll::import_symbol<step_type>(path, step_name);
#else
  return boost::dll::import <step_type>(path, step_name);
#endif
}

std::int32_t load(const char* path, std::int32_t x) { return import_step(path)(x); }

class held final : public opened_by<held> {
 public:
  explicit held(const char* path) : library_(path), step_(import_step(path)) {}
  std::int32_t call(std::int32_t x) { return step_(x); }
  std::int32_t look_up_and_call(std::int32_t x) { return library_.get<step_type>(step_name)(x); }

 private:
  boost::dll::shared_library library_;
  decltype(import_step("")) step_;
};

const add_peer added({"boost_dll",
                      "import_symbol (RTLD_LAZY, its default), a call, and the function object's destructor",
                      "the function object of import_symbol, kept", "shared_library::get for each call", &load,
                      &open_by<held>});

}  // namespace
}  // namespace bench
