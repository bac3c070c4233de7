// SPDX-License-Identifier: MIT
// linked_library: an engine whose first generation is the stand-in itself.
#include "exec/linked_library.hpp"

#include <dlfcn.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include <autoreload/library_module.hpp>

#include "exec/exports.hpp"
#include "exec/files.hpp"
#include "exec/journal.hpp"
#include "reload/history/history.hpp"
#if defined(AUTORELOAD_WITH_HOLDERS)
#include "exec/heap_pointers.hpp"
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

std::string listed(const std::vector<std::string>& names) {
  std::string text;
  for (std::size_t i = 0; i < std::min<std::size_t>(names.size(), 5); ++i) text += (i == 0 ? "" : ", ") + names[i];
  if (names.size() > 5) text += " and " + std::to_string(names.size() - 5) + " more";
  return text;
}

using resolver = void* (*)();

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
      observer_(std::move(observer)) {}

std::string linked_library::has(std::span<const std::byte> bytes) {
  elf_facts facts;
  facts.segments = segments_of(bytes);
  planned_.reset();
  return contents_of(bytes, facts) == where_.header->contents ? where_.file : std::string();
}

std::uint64_t linked_library::kept_bytes() const {
  std::uint64_t sum = 0;
  for (const auto& [generation, bytes] : kept_) sum += bytes;
  return sum;
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
    build own;
    own.inverted_table = ~reinterpret_cast<std::uintptr_t>(where_.header->first_table);
    return module(new loaded_build(*this, again, remember(std::move(own))));
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

void linked_library::say_what_changed(const std::vector<std::string>& gone, const build& made) {
  remarks_.clear();
  if (!gone.empty()) remark("it lacks " + listed(gone) + " now: a call of what is gone ends the program");
  if (!planned_->own_constants.empty()) {
    remark("the constants " + listed(planned_->own_constants) +
           " changed: the library has the new ones, and the program sees those that it started with");
  }
  if (std::exchange(told_stays_, made.stays) == made.stays || made.stays.empty()) return;
  remark("it is not unloaded when a newer build comes: " + made.stays);
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

std::string linked_library::key_name(std::uint32_t slot) const {
  const standin_header& header = *where_.header;
  if (slot < header.functions) return header.strings + header.names[slot].name;
  const std::uint32_t spare = slot - header.functions;
  return spare < added_.size() ? added_[spare] : std::string();
}

const exported_symbol* linked_library::function_of(std::uint32_t slot, const functions& in) const {
  const standin_header& header = *where_.header;
  const std::string name = key_name(slot);
  if (name.empty()) return nullptr;
  const bool known = slot < header.functions && header.names[slot].version != 0;
  const std::string version = known ? header.strings + header.names[slot].version : "";
  if (const auto exact = in.find({name, version}); exact != in.end()) return &exact->second;
  // A library that gets its first version script, or loses it, goes on by names.
  for (auto one = in.lower_bound({name, ""}); one != in.end() && one->first.first == name; ++one) {
    if (one->second.is_default() && (version.empty() || one->first.second.empty())) return &one->second;
  }
  return nullptr;
}

std::vector<std::string> linked_library::fill_table(const build& into) {
  const standin_header& header = *where_.header;
  std::vector<std::string> gone;
  const std::lock_guard lock(mutex_);
  for (std::uint32_t i = 0; i < header.slots; ++i) {
    const exported_symbol* const symbol = function_of(i, into.exported);
    if (symbol == nullptr) {
      into.table()[i] = header.notices + std::size_t{i} * stub_size;
      if (i < header.functions) gone.push_back(key_name(i));
      continue;
    }
    void* const at = reinterpret_cast<void*>(into.base + symbol->raw.st_value);
    into.table()[i] = symbol->kind == symbol_kind::chosen ? reinterpret_cast<resolver>(at)() : at;
  }
  return gone;
}

void linked_library::observe(const event& happened) {
  const bool moved = happened.kind == event_kind::loaded || happened.kind == event_kind::activated;
  if (moved) take_over();
  count(happened);
  if (observer_) return tell(happened);
  if (moved && happened.generation == 1 && newest_ != nullptr && newest_->base == 0) {
    return;  // what the program started with
  }
  std::string words = to_string(happened);
  if (moved && kept_.size() > 1) {
    words += "\n  " + std::to_string(kept_.size()) + " newer builds than the first are loaded, " +
             std::to_string(kept_bytes() / 1024) + " KiB";
  }
  if (moved && std::exchange(tells_what_is_lost_, false)) say_what_is_lost();
  if (moved && !boundary_.empty() && !carries_) words += "\n  it is taken over by the next call of " + boundary_ + "()";
  say(words);
}

void linked_library::tell(const event& happened) {
  observer_(happened);
  if (happened.kind != event_kind::loaded) return;
  for (std::string& text : std::exchange(remarks_, {})) {
    observer_({.kind = event_kind::warning,
               .generation = happened.generation,
               .path = happened.path,
               .text = std::move(text),
               .failure = {},
               .times = {}});
  }
}

void linked_library::remark(const std::string& text) {
  if (observer_) {
    remarks_.push_back(text);
  } else {
    say(std::string("\"") + where_.header->path + "\": " + text);
  }
}

void linked_library::count(const event& happened) {
  if (happened.kind == event_kind::loaded && newest_ != nullptr && newest_->base != 0) {
    kept_[happened.generation] = newest_->bytes;
  }
  if (happened.kind == event_kind::unloaded) kept_.erase(happened.generation);
}

// All functions of the build at once: each call after this store goes to it.
void linked_library::take_over() {
  const void* const record = current_.confirmed.load(std::memory_order_acquire);
  const std::lock_guard lock(mutex_);
  const auto found = std::find_if(builds_.begin(), builds_.end(), [&](const auto& one) { return one.get() == record; });
  if (found == builds_.end()) return;
  const bool is_first = newest_ == nullptr;
  newest_ = found->get();
  if (gate_.is_closed()) return;
  if (!boundary_.empty() && !is_first) return lead_over_at_boundary();
  where_.header->table.store(newest_->table(), std::memory_order_release);
}

// What the first build has allocated by now.
void linked_library::say_what_is_lost() {
#if defined(AUTORELOAD_WITH_HOLDERS)
  link_map* own = nullptr;
  if (dlinfo(where_.handle, RTLD_DI_LINKMAP, &own) != 0) return;
  const shared_variables known = shared();
  const std::size_t count =
      count_heap_pointers(own->l_addr, reinterpret_cast<std::uintptr_t>(where_.header), known.places);
  if (count == 0) return;
  say("\"" + std::string(where_.header->path) + "\" has " + std::to_string(count) +
      (count == 1 ? " pointer" : " pointers") +
      " to allocated memory in variables of its own, of which the new build knows nothing: start the program with "
      "--state to carry them over");
#endif
}

void linked_library::set_boundary(const std::string& function) {
  if (function.empty()) return;
  for (std::uint32_t i = 0; i < where_.header->functions && boundary_.empty(); ++i) {
    if (key_name(i) != function) continue;
    boundary_ = function;
    where_.header->boundary = i;
    first_boundary_ = where_.header->first_table[i];
  }
  if (boundary_.empty()) {
    say("\"" + std::string(where_.header->path) + "\" exports no " + function +
        "(): its builds are taken over at once");
  }
}

// By a call of the function, whatever build it begins in: only the newest one's table has its own.
void linked_library::lead_over_at_boundary() {
  standin_header& header = *where_.header;
  lead_boundary(*newest_, false);
  header.next.store(newest_->table(), std::memory_order_release);
  for (const auto& one : builds_) {
    if (one->inverted_table != newest_->inverted_table) lead_boundary(*one, true);
  }
}

// @param to_notice  not to the build's own function
void linked_library::lead_boundary(const build& one, bool to_notice) {
  const std::uint32_t slot = where_.header->boundary;
  void* to = where_.header->notices + std::size_t{slot} * stub_size;
  if (!to_notice && one.base == 0) to = first_boundary_;
  if (const exported_symbol* const own = function_of(slot, one.exported);
      !to_notice && one.base != 0 && own != nullptr) {
    to = reinterpret_cast<void*>(one.base + own->raw.st_value);
    if (own->kind == symbol_kind::chosen) to = reinterpret_cast<resolver>(to)();
  }
  __atomic_store_n(one.table() + slot, to, __ATOMIC_RELEASE);
}

// ---- a boundary at which variables are handed over: the call itself closes the gate, and waits there

void linked_library::arm_boundary() {
  if (newest_ == nullptr || std::exchange(armed_, true)) return;
  where_.header->next.store(where_.header->waiting, std::memory_order_release);
  lead_boundary(*newest_, true);
  if (std::exchange(attended_, true)) return;
  const auto run = [](void* self) -> void* {
    static_cast<linked_library*>(self)->attend_boundary();
    return nullptr;
  };
  if (!start_thread(run, this)) disarm_boundary();
}

// First the slot: who finds no other table to come looks at it once more.
void linked_library::disarm_boundary() {
  if (newest_ == nullptr || !std::exchange(armed_, false)) return;
  lead_boundary(*newest_, false);
  where_.header->next.store(newest_->table(), std::memory_order_release);
}

// On a thread of its own. Tells the engine that a call waits at the boundary; a call that the engine does not come for,
// as the build was taken back, goes on.
void linked_library::attend_boundary() {
  constexpr std::chrono::milliseconds often{100};  // the call wakes it; that may come just before it sleeps
  constexpr std::chrono::milliseconds longest{500};
  const auto waits = [&] {
    const std::lock_guard lock(mutex_);
    return armed_ && !still_ && gate_.is_closed();
  };
  for (;;) {
    gate_.wait_for_change(often);
    if (!waits()) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
      continue;
    }
    engine_->resume();
    const auto until = std::chrono::steady_clock::now() + longest;
    while (waits() && std::chrono::steady_clock::now() < until) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    const std::lock_guard lock(mutex_);
    if (!armed_ || still_ || !gate_.is_closed()) continue;
    disarm_boundary();
    gate_.open(newest_->table());
  }
}

void* linked_library::newer_function(const char* name) {
  const standin_header& header = *where_.header;
  const std::lock_guard lock(mutex_);
  if (newest_ == nullptr) return nullptr;
  std::uint32_t slot = header.functions;
  for (const std::string& one : added_) {
    if (one == name) return header.stubs + std::size_t{slot} * stub_size;
    ++slot;
  }
  if (slot >= header.slots) return nullptr;
  const auto found = std::find_if(newest_->exported.begin(), newest_->exported.end(),
                                  [&](const auto& one) { return one.first.first == name && one.second.is_default(); });
  if (found == newest_->exported.end()) return nullptr;
  added_.emplace_back(name);
  // Every table that may still come into use gets it; what has no such function keeps the notice.
  for (const auto& one : builds_) {
    const exported_symbol* const symbol = function_of(slot, one->exported);
    if (symbol == nullptr || one->base == 0) continue;
    void* const at = reinterpret_cast<void*>(one->base + symbol->raw.st_value);
    void* const target = symbol->kind == symbol_kind::chosen ? reinterpret_cast<resolver>(at)() : at;
    __atomic_store_n(one->table() + slot, target, __ATOMIC_RELEASE);
  }
  return header.stubs + std::size_t{slot} * stub_size;
}

}  // namespace autoreload::exec
