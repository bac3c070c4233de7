// SPDX-License-Identifier: MIT
// linked_library: an engine whose first generation is the stand-in itself.
#include "exec/linked_library.hpp"

#include <dlfcn.h>
#include <sys/mman.h>

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include <autoreload/library_module.hpp>

#include "exec/exports.hpp"
#include "exec/files.hpp"
#include "reload/history/history.hpp"
#if defined(AUTORELOAD_WITH_HOLDERS)
#include "exec/quiet_calls.hpp"
#include "exec/unloading.hpp"
#endif

namespace autoreload::exec {
namespace {

// Old builds stay as long as somebody may come back to them. Beyond these the program has to be started anew.
constexpr std::uint64_t most_builds = 900;  // each holds a descriptor
constexpr std::uint64_t most_bytes = std::uint64_t{2} << 30U;

#if defined(AUTORELOAD_WITH_HOLDERS)
constexpr bool can_look = true;
#else
constexpr bool can_look = false;
#endif

const void* const nothing_loaded[1] = {};

// For a build that has no room for its table. It is never freed: a call may be on its way through it.
void* other_table(std::size_t size) {
  void* const memory = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return memory == MAP_FAILED ? nullptr : memory;
}

}  // namespace

class linked_library::loaded_build final : public autoreload::detail::erased_module {
 public:
  loaded_build(linked_library& library, void* handle, const build& record)
      : library_(library), handle_(handle), record_(&record) {}
  [[nodiscard]] const void* table() const override { return record_; }
  [[nodiscard]] std::size_t table_size() const override { return sizeof *record_; }
  [[nodiscard]] void* handle() const override { return handle_; }
  // What runs then is the library's, as when it was loaded.
  result<void> unload() override {
    if (handle_ == nullptr) return {};
    library_.forget(record_);
    result<void> closed;
    library_.loading_.run([&] { closed = autoreload::detail::close_file(std::exchange(handle_, nullptr), ""); });
    return closed;
  }

 private:
  linked_library& library_;
  void* handle_;
  const build* record_;
};

result<std::unique_ptr<linked_library>> linked_library::watch(loaded_standin where, program_thread& loading,
                                                              const settings& how) {
  const std::optional<std::string> bytes = read_file(where.file);
  if (!bytes) return error(stage::load, where.file, "the stand-in can't be read");
  result<standin_facts> facts = read_standin(std::as_bytes(std::span(*bytes)));
  if (!facts) return facts.error().rename(where.file);
  std::unique_ptr<linked_library> made(new linked_library(std::move(where), *std::move(facts), loading, how.observer));
  made->set_boundary(how.at);
  made->tells_what_is_lost_ = !how.state && !how.observer;  // its advice is the command's
  made->carries_ = how.state;
  options chosen;
  // Nobody pins an old build's code: without a search for those who may come back all stay.
  chosen.keep_old = how.keep_old || !can_look;
  chosen.history = {.generations = 0, .bytes = 0, .loaded = 0};
#if defined(AUTORELOAD_WITH_HOLDERS)
  if (!chosen.keep_old) {
    chosen.unload = unload_carefully([self = made.get()](const held_image& known) { return self->leaving(known); });
  }
#endif
  if (how.adapt) how.adapt(chosen, *made);
  chosen.trial.enabled = how.trial;
  chosen.observer = [self = made.get()](const event& happened) { self->observe(happened); };
  autoreload::detail::loader api{};
  api.api_type = "the program's own calls";
  api.not_loaded = &nothing_loaded;
  api.host = made.get();
  try {
    made->engine_ =
        std::make_unique<autoreload::detail::engine>(api, made->where_.header->path, std::move(chosen), made->current_);
  } catch (const error& refused) {
    return refused;
  }
  return made;
}

linked_library::linked_library(loaded_standin where, standin_facts facts, program_thread& loading,
                               std::function<void(const event&)> observer)
    : where_(std::move(where)),
      facts_(std::move(facts)),
      loading_(loading),
      current_(&nothing_loaded),
      observer_(std::move(observer)) {
  remember(first_build());  // calls begin in it, whatever the engine finds first
}

linked_library::build linked_library::first_build() const {
  build own;
  own.inverted_table = ~reinterpret_cast<std::uintptr_t>(where_.header->first_table);
  return own;
}

std::string linked_library::has(std::span<const std::byte> bytes) {
  elf_facts facts;
  facts.segments = segments_of(bytes);
  planned_.reset();
  return contents_of(bytes, facts) == where_.header->contents ? where_.file : std::string();
}

std::optional<error> linked_library::too_many() const {
  if (kept_.size() < most_builds && kept_bytes() < most_bytes) return std::nullopt;
  return error(stage::load, {},
               std::to_string(kept_.size()) + " older builds are loaded, which take " +
                   std::to_string(kept_bytes() / 1024 / 1024) + " MiB: no more are taken")
      .advise("start the program anew");
}

result<std::vector<autoreload::detail::copy_edit>> linked_library::edits(std::span<const std::byte> bytes) {
  if (std::optional<error> no = too_many()) return *std::move(no);
  result<copy_plan> plan = plan_copy(
      bytes, facts_, [this](const exported_symbol& symbol) { return variable(symbol); },
      where_.header->slots * sizeof(void*));
  if (!plan) return plan.error();
  planned_ = *std::move(plan);
  planned_bytes_ = bytes.size();
  return std::move(planned_->edits);
}

// What the program and other libraries find by the name.
void* linked_library::variable(const exported_symbol& symbol) const {
  void* const from = where_.is_global ? RTLD_DEFAULT : where_.handle;
  const auto find = [&](void* in) {
    return symbol.version.empty() ? dlsym(in, symbol.name.c_str())
                                  : dlvsym(in, symbol.name.c_str(), symbol.version.c_str());
  };
  void* const found = find(from);
  return found != nullptr ? found : find(where_.handle);
}

result<std::unique_ptr<autoreload::detail::erased_module>> linked_library::load(const char* path, int flags) {
  using module = std::unique_ptr<autoreload::detail::erased_module>;
  if (path == where_.file) {
    void* const again = dlopen(path, RTLD_NOLOAD | RTLD_NOW);
    return module(new loaded_build(*this, again, remember(first_build())));
  }
  result<void*> opened = error(stage::load, path, "it was not loaded");
  loading_.run([&] { opened = autoreload::detail::open_file(path, flags); });
  if (!opened) return opened.error();
  link_map* library = nullptr;
  if (!planned_ || dlinfo(*opened, RTLD_DI_LINKMAP, &library) != 0) {
    return error(stage::load, path, "the loader does not know what it loaded");
  }
  build made{std::move(planned_->functions), library->l_addr, planned_bytes_, 0, std::move(planned_->stays)};
  if (planned_->table) {
    made.inverted_table = ~(made.base + *planned_->table);
  } else if (void* const memory = other_table(where_.header->slots * sizeof(void*)); memory != nullptr) {
    made.inverted_table = ~reinterpret_cast<std::uintptr_t>(memory);
  } else {
    return error(stage::load, path, "there is no memory for a table of its functions");
  }
  say_what_changed(fill_table(made), made);
  planned_.reset();
  return module(new loaded_build(*this, *opened, remember(std::move(made))));
}

std::vector<exported_name> linked_library::exports() const {
  std::vector<exported_name> all;
  for (const auto& [name, version] : facts_.functions) all.push_back({name, true});
  for (const auto& [key, one] : facts_.data_symbols) {
    const symbol_kind kind = one.symbol.kind;  // a thread-local variable's size is compared when the copy is made
    if (kind == symbol_kind::variable || kind == symbol_kind::constant) all.push_back({key.first, false});
  }
  return all;
}

std::vector<std::uintptr_t> linked_library::bases() {
  link_map* own = nullptr;
  std::vector<std::uintptr_t> all;
  if (dlinfo(where_.handle, RTLD_DI_LINKMAP, &own) == 0) all.push_back(own->l_addr);
  const std::lock_guard lock(mutex_);
  for (const auto& one : builds_) {
    if (one->base != 0) all.push_back(one->base);
  }
  return all;
}

result<std::unique_ptr<autoreload::detail::stillness>> linked_library::be_still(
    [[maybe_unused]] std::chrono::milliseconds limit) {
  const auto cant = [](const std::string& why) {
    return error(stage::handover, {}, why).advise("it is tried again later; meanwhile the program goes on as it was");
  };
#if defined(AUTORELOAD_WITH_HOLDERS)
  if (!gate_.make_room()) return cant("there is no memory for a table by which calls wait");
  if (!boundary_.empty()) {
    const std::lock_guard lock(mutex_);
    if (!gate_.is_closed()) {
      arm_boundary();
      return cant("the next call of " + boundary_ + "() takes it over");
    }
    still_ = true;
  }
  // The loader is asked before the gate is closed: whoever waits there may have its lock.
  entered_code code{code_at(bases(), gate_.stubs()), &gate_, holding::unwound_objects()};
  auto moment = std::make_unique<quiet_calls>(std::move(code), gate_, handing_over_, [this] { open_gate(); });
  if (const auto who = moment->wait(limit)) {
    return cant("calls did not end within " + std::to_string(limit.count()) + " ms: " + *who);
  }
  return std::unique_ptr<autoreload::detail::stillness>(std::move(moment));
#else
  return cant("this build of autoreload can't look at threads");
#endif
}

void linked_library::open_gate() {
  take_over();
  const std::lock_guard lock(mutex_);
  still_ = false;
  disarm_boundary();
  if (newest_ != nullptr) gate_.open(newest_->table());
}

void linked_library::open_gate_of_child() {
  disarm_boundary();
  if (gate_.is_closed() && newest_ != nullptr) gate_.open(newest_->table());
}

shared_variables linked_library::shared() const {
  shared_variables all;
  for (const auto& [key, one] : facts_.data_symbols) {
    const exported_symbol& symbol = one.symbol;
    if (symbol.kind != symbol_kind::variable && symbol.kind != symbol_kind::thread_local_variable) continue;
    all.names.push_back(symbol.name);
    const auto at = reinterpret_cast<std::uintptr_t>(variable(symbol));
    if (symbol.kind == symbol_kind::variable && at != 0) all.places.push_back({at, at + symbol.raw.st_size});
  }
  return all;
}

linked_library::build& linked_library::remember(build made) {
  const std::lock_guard lock(mutex_);
  builds_.push_back(std::make_unique<build>(std::move(made)));
  return *builds_.back();
}

void linked_library::forget(const build* gone) {
  const std::lock_guard lock(mutex_);
  if (gone == newest_) newest_ = nullptr;
  std::erase_if(builds_, [&](const auto& one) { return one.get() == gone; });
}

// What is mapped of a build is more than its file says: the table.
std::optional<held_image> linked_library::leaving(const held_image& known) {
  const build* found = nullptr;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& one : builds_) {
      if (one->base == known.base) found = one.get();
    }
  }
  if (found == nullptr || found->base == 0 || !found->stays.empty()) return std::nullopt;
  // No address of the build is kept here: it would be found.
  std::optional<held_image> image(known);
  const std::uint64_t end = ~found->inverted_table - found->base + where_.header->slots * sizeof(void*);
  const auto last = std::max_element(image->segments.begin(), image->segments.end(),
                                     [](const auto& one, const auto& other) { return one.offset < other.offset; });
  if (last == image->segments.end() || last->offset > end) return std::nullopt;
  last->size = std::max(last->size, end - last->offset);
  return image;
}

// All functions of the build at once: each call after this store goes to it. A build that replaced the program's own
// before the engine's first look waits for the boundary as each later one does.
void linked_library::take_over() {
  const void* const record = current_.confirmed.load(std::memory_order_acquire);
  const std::lock_guard lock(mutex_);
  const auto found = std::find_if(builds_.begin(), builds_.end(), [&](const auto& one) { return one.get() == record; });
  if (found == builds_.end()) return;
  const bool runs_already = newest_ == nullptr && (*found)->base == 0;
  newest_ = found->get();
  if (gate_.is_closed()) return;
  if (!boundary_.empty() && !runs_already) return lead_over_at_boundary();
  where_.header->table.store(newest_->table(), std::memory_order_release);
}

}  // namespace autoreload::exec
