// SPDX-License-Identifier: MIT
// absent: a call has pinned the table that it goes through, so the calling thread's pins tell which library lacks what.
//
// Shared between threads: the list of tables, guarded by a mutex under which nothing but the list is touched. It is
// never destroyed: a thread may call into a library while the process's statics are being torn down.
#include "reload/load/absent.hpp"

#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <mutex>
#include <string_view>
#include <utility>
#include <vector>

#include "reload/retire/pin_registry.hpp"

namespace autoreload {

namespace {

struct known_table {
  const void* table;
  detail::loader api;
  std::string path;
};

struct table_list {
  std::mutex mutex;
  std::vector<known_table> tables;
};
table_list& known() {
  static auto* const list = new table_list;
  [[maybe_unused]] static const int registered =
      pthread_atfork([] { known().mutex.lock(); }, [] { known().mutex.unlock(); }, [] { known().mutex.unlock(); });
  return *list;
}

// A symbol that a library lacks stands in its table as in the one for "nothing loaded".
bool lacks(const known_table& in, std::string_view symbol) {
  for (std::size_t i = 0; i < in.api.symbols.size(); ++i) {
    if (in.api.symbols[i].name != symbol) continue;
    const auto entry = [i](const void* table) { return static_cast<const std::byte*>(table) + i * sizeof(void*); };
    return std::memcmp(entry(in.table), entry(in.api.not_loaded), sizeof(void*)) == 0;
  }
  return false;
}

class remembered_module final : public detail::erased_module {
 public:
  remembered_module(std::unique_ptr<detail::erased_module> module, const detail::loader& api, const std::string& path)
      : module_(std::move(module)) {
    const std::lock_guard lock(known().mutex);
    known().tables.push_back({module_->table(), api, path});
  }
  ~remembered_module() override { forget(); }
  [[nodiscard]] const void* table() const override { return module_->table(); }
  [[nodiscard]] std::size_t table_size() const override { return module_->table_size(); }
  [[nodiscard]] void* handle() const override { return module_->handle(); }
  result<void> unload() override {
    forget();
    return module_->unload();
  }

 private:
  // Called again by the destructor, when the table is gone already.
  void forget() noexcept {
    if (std::exchange(forgotten_, true)) return;
    const std::lock_guard lock(known().mutex);
    std::erase_if(known().tables, [&](const known_table& k) { return k.table == module_->table(); });
  }

  std::unique_ptr<detail::erased_module> module_;
  bool forgotten_ = false;
};

constexpr const char* test_it =
    "use try_call, or test it on the pin that it is then called on: between two pins a reload may take it away";

}  // namespace

std::unique_ptr<detail::erased_module> remember_table(std::unique_ptr<detail::erased_module> module,
                                                      const detail::loader& api, const std::string& path) {
  return std::make_unique<remembered_module>(std::move(module), api, path);
}

void throw_absent(const char* symbol) {
  bool nothing_loaded = false;
  const std::vector<held_pin> pins = held_pins();
  {
    table_list& list = known();
    const std::lock_guard lock(list.mutex);
    for (const held_pin& pin : pins) {
      if (pin.thread != gettid()) continue;
      const auto found = std::find_if(list.tables.begin(), list.tables.end(),
                                      [&](const known_table& one) { return one.table == pin.table; });
      nothing_loaded |= found == list.tables.end();
      if (found == list.tables.end() || !lacks(*found, symbol)) continue;
      throw error(stage::use, found->path, std::string(symbol) + " was used, but this version of the library lacks it")
          .advise(test_it);
    }
  }
  if (nothing_loaded) throw_not_loaded(symbol);
  throw error(stage::use, {}, std::string(symbol) + " was used, but its library lacks it").advise(test_it);
}

}  // namespace autoreload
