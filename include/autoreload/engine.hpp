// SPDX-License-Identifier: MIT
// engine: the reload pipeline without the user's types; `reloadable` puts them on.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <autoreload/options.hpp>
#include <autoreload/pin.hpp>

namespace autoreload::detail {

// One loaded library, whatever the backend and the API.
struct AUTORELOAD_API erased_module {
  virtual ~erased_module() = default;
  [[nodiscard]] virtual const void* table() const = 0;
  [[nodiscard]] virtual std::size_t table_size() const = 0;  // bytes
  [[nodiscard]] virtual void* handle() const = 0;
  virtual result<void> unload() = 0;
};

// A part of a private copy that shall differ from the file.
struct copy_edit {
  std::uint64_t offset;  // in the file
  std::string original;
  std::string text;  // of the same length
};

// While it lives, calls that begin wait, and none is under way.
struct AUTORELOAD_API stillness {
  stillness() = default;
  stillness(const stillness&) = delete;
  stillness& operator=(const stillness&) = delete;
  virtual ~stillness() = default;
};

// A host that is linked with the library already, and loads copies of newer builds beside it. The pipeline calls it,
// one thread at a time; it outlives the engine.
class AUTORELOAD_API linked_host {
 public:
  virtual ~linked_host() = default;
  // The loader's name for what the host has of this very build; empty when it is another one. load() is then asked for
  // that name. @param bytes  an inspected file
  [[nodiscard]] virtual std::string has(std::span<const std::byte> bytes) = 0;
  // What to change in the copy before it is loaded, or why it can't be: then the build is refused.
  [[nodiscard]] virtual result<std::vector<copy_edit>> edits(std::span<const std::byte> bytes) = 0;
  // Opens the file, and fills a table for the host's calls.
  [[nodiscard]] virtual result<std::unique_ptr<erased_module>> load(const char* path, int flags) = 0;
  // Before state is handed over: the host's calls hold no pins. The calls that waited go on in what is published at the
  // end. @return why there was no quiet moment within the limit: it is tried again later
  [[nodiscard]] virtual result<std::unique_ptr<stillness>> be_still(std::chrono::milliseconds limit) = 0;
};

// What the engine must know of the user's types.
struct loader {
  result<std::unique_ptr<erased_module>> (*load)(const char* path, int flags);
  std::span<const symbol_info> symbols;
  std::string_view api_type;
  const void* not_loaded;       // the table to publish while there is nothing else
  linked_host* host = nullptr;  // loads instead of `load`, if there is one
};

template <class Api, class Backend>
struct module_of final : erased_module {
  using module = typename Backend::template module<Api>;

  explicit module_of(module loaded) : loaded_(std::move(loaded)) {}
  [[nodiscard]] const void* table() const override { return &loaded_.api(); }
  [[nodiscard]] std::size_t table_size() const override { return sizeof(Api); }
  [[nodiscard]] void* handle() const override { return loaded_.handle(); }
  result<void> unload() override { return loaded_.unload(); }

  static result<std::unique_ptr<erased_module>> load(const char* path, int flags) {
    result<module> loaded = module::load(path, flags);
    if (!loaded) return loaded.error();
    return std::unique_ptr<erased_module>(new module_of(*std::move(loaded)));
  }

 private:
  module loaded_;
};

template <class Api, class Backend>
loader loader_for() {
  if constexpr (checked_api<Api>::fits) {
    return {&module_of<Api, Backend>::load, symbols_of<Api>(), compiler_name<Api>(), &not_loaded_api<Api>()};
  } else {
    return {};
  }
}

class engine_core;
class landing;

// See reloadable for what each of these promises.
class AUTORELOAD_API engine {
 public:
  engine(loader api, std::string path, options chosen, published& current);
  ~engine();
  engine(const engine&) = delete;
  engine& operator=(const engine&) = delete;

  void poll(std::chrono::nanoseconds budget);
  result<void> reload(start from);
  void on_handover(std::function<void(const void* from, const void* to)> run);
  void pause();
  void resume();
  [[nodiscard]] std::vector<generation_record> history();
  result<void> activate(std::uint64_t number);
  result<void> roll_back();
  result<void> reject(const std::string& reason);
  result<void> approve();
  void hold();
  void release();
  // of guarded calls
  [[nodiscard]] error no_call(const char* symbol) const;
  [[nodiscard]] error no_guard() const;
  [[nodiscard]] error ended(const landing& call, const void* table, bool& keep) const;
  void came_back(const void* table) const;
  [[nodiscard]] int descriptor() const;
  [[nodiscard]] std::uint64_t generation_of(const void* table) const;
  [[nodiscard]] std::uint64_t generation() const;
  [[nodiscard]] std::optional<error> last_failure() const;
  [[nodiscard]] const std::string& path() const;
  [[nodiscard]] watch_mode watching() const;

 private:
  std::shared_ptr<engine_core> core_;
};

}  // namespace autoreload::detail
