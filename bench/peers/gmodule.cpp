// SPDX-License-Identifier: MIT
// gmodule: GLib's GModule. Its reference opens a module, asks for a symbol once and keeps the pointer.
#include <gmodule.h>

#include "peer.hpp"

namespace bench {
namespace {

// Not G_MODULE_BIND_LAZY: the others resolve everything at once, too.
GModule* open(const char* path) { return g_module_open(path, G_MODULE_BIND_LOCAL); }

step_function find(GModule* module) {
  gpointer found = nullptr;
  g_module_symbol(module, step_name, &found);
  return reinterpret_cast<step_function>(found);
}

std::int32_t load(const char* path, std::int32_t x) {
  GModule* const module = open(path);
  if (module == nullptr) return -1;
  x = find(module)(x);
  g_module_close(module);
  return x;
}

class held final : public opened_by<held> {
 public:
  explicit held(const char* path) : module_(open(path)), step_(find(module_)) {}
  ~held() override { g_module_close(module_); }
  std::int32_t call(std::int32_t x) { return step_(x); }
  std::int32_t look_up_and_call(std::int32_t x) { return find(module_)(x); }

 private:
  GModule* module_;
  step_function step_;
};

const add_peer added({"gmodule", "g_module_open(G_MODULE_BIND_LOCAL), g_module_symbol, a call, g_module_close",
                      "a function pointer from g_module_symbol, kept", "g_module_symbol for each call", &load,
                      &open_by<held>});

}  // namespace
}  // namespace bench
