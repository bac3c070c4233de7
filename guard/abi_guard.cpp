// SPDX-License-Identifier: MIT
// abi_guard: what to look at, what to remember, and what a difference means under each policy.
//
// Shared between threads: what is remembered of hosts and libraries, and which notes were given. All of it is guarded
// by one mutex, which is never held while a file is read; what it hands out is immutable.
#include <autoreload/abi_guard.hpp>

#include <elf.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <utility>

#include "guard/compare.hpp"
#include "guard/declared.hpp"
#include "system/unique_fd.hpp"
#include "types/debug_input.hpp"
#include "types/elf_glance.hpp"
#include "types/helper_place.hpp"
#include "types/helper_process.hpp"
#include "types/host_image.hpp"
#include "types/snapshot_id.hpp"
#include "types/spell.hpp"

namespace autoreload {

namespace {

using clock = std::chrono::steady_clock;
using types::id_of;
using types::snapshot_id;
using shared_description = std::shared_ptr<const types::description>;

// What the host was compiled for.
struct host_view {
  types::description seen;      // from its debug information
  bool complete = false;        // every symbol is in `seen`
  types::description declared;  // the rest, as the API struct spells it
};

class abi_guard final : public abi_checker {
 public:
  explicit abi_guard(abi_guard_options options) : options_(std::move(options)) {}

  guard_verdict check(const guard_request& request) override {
    if (options_.policy == abi_policy::off) return {};
    findings found;
    compare_debug_information(request, found);
    check_variables(request, found);

    guard_verdict verdict;
    for (const types::remark& r : found.notes) {
      const bool told = found.has(r.subject) || std::ranges::find(verdict.notes, r.text) != verdict.notes.end();
      if (!told) verdict.notes.push_back(r.text);
    }
    for (types::remark& r : found.differences) verdict.differences.push_back(std::move(r.text));
    if (options_.policy == abi_policy::strict) {
      std::ranges::move(found.unseen, std::back_inserter(verdict.differences));
    } else {
      for (std::string& text : found.unseen) say_once(request.path, std::move(text), verdict.notes);
    }
    verdict.refuse = !verdict.differences.empty() && options_.policy != abi_policy::warn;
    return verdict;
  }

 private:
  struct findings {
    std::vector<types::remark> differences;
    std::vector<types::remark> notes;
    std::vector<std::string> unseen;  // what could not be checked, and why
    shared_description candidate;     // null when it could not be seen

    bool has(std::string_view subject) const {
      return std::ranges::find(differences, subject, &types::remark::subject) != differences.end();
    }
  };
  struct remembered {
    snapshot_id snapshot;
    shared_description what;
  };

  // --- debug information -------------------------------------------------------------------------

  void compare_debug_information(const guard_request& request, findings& found) {
    const types::debug_input input = types::find_debug_input(request.candidate, request.path, options_.debug_roots);
    if (!input.any) {
      found.unseen.emplace_back("the library has no debug information (-g): its functions and types are not checked");
      return;
    }
    const std::string key = key_of(request);
    const std::shared_ptr<const host_view> host = view_host(request, key, found);
    const types::request ask = ask_about(request, *host);
    types::helper_process candidate_reader(options_.helper, ask, request.candidate, input.separate.get(),
                                           options_.orphan_helper);
    const shared_description running = recall(request, key, ask);
    const shared_description candidate = collect(candidate_reader, "the library", found);
    if (!candidate) return;
    found.candidate = candidate;
    for (const std::string& problem : candidate->problems) found.unseen.push_back("the library: " + problem);

    if (running) {
      types::perspective from{.exceptions = options_.exceptions};
      from.host_sees = host->seen.symbols.empty() ? nullptr : &host->seen;
      // What only the library sees into the carrier carries, or it refuses.
      from.handles_survive = options_.handles_survive && !request.carries_state;
      add(types::compare(*running, *candidate, from), found);
    }
    const types::perspective from_host{.host = true, .exceptions = options_.exceptions};
    add(types::compare(host->seen, *candidate, from_host), found);
    add(types::compare(host->declared, *candidate, from_host), found);
    remember(request, key, running, candidate);
  }

  // What the running generation's comparison said already needs no saying from the host's side.
  static void add(types::comparison more, findings& found) {
    std::set<std::string> known;
    for (const types::remark& r : found.differences) known.insert(r.subject);
    for (types::remark& r : more.differences) {
      if (!known.contains(r.subject)) found.differences.push_back(std::move(r));
    }
    std::ranges::move(more.notes, std::back_inserter(found.notes));
  }

  static std::string key_of(const guard_request& request) {
    std::string key(request.api_type);
    for (const symbol_info& s : request.symbols) {
      key += '\0' + std::string(s.name) + ' ' + std::to_string(reinterpret_cast<std::uintptr_t>(s.declaration));
    }
    return key;
  }

  types::request ask_about(const guard_request& request, const host_view& host) const {
    types::request ask = types::within(options_.time_limit);
    ask.path = request.path;
    for (const symbol_info& s : request.symbols) ask.symbols.push_back({s.name, s.function, 0});
    for (const types::type& t : host.seen.types) {
      if (types::has_tag(t.kind) && t.complete && !t.name.empty()) ask.search_for.push_back(types::spell_tag(t));
    }
    return ask;
  }

  shared_description collect(types::helper_process& reader, const char* whose, findings& found) const {
    std::optional<types::description> answer = reader.collect(clock::now() + options_.time_limit);
    if (answer) return std::make_shared<const types::description>(std::move(*answer));
    found.unseen.push_back(std::string(whose) + "'s debug information was not read: " + reader.why());
    return nullptr;
  }

  // --- the host ----------------------------------------------------------------------------------

  std::shared_ptr<const host_view> view_host(const guard_request& request, const std::string& key, findings& found) {
    {
      const std::lock_guard lock(mutex_);
      if (const auto known = hosts_.find(key); known != hosts_.end()) {
        if (!known->second->complete) found.unseen.emplace_back(host_unseen);
        return known->second;
      }
    }
    auto view = std::make_shared<host_view>();
    const bool described = describe_host(request, *view, found);
    view->declared = types::describe_declared(request.symbols);
    std::erase_if(view->declared.symbols, [&](const types::symbol& s) { return view->seen.find(s.name) != nullptr; });
    view->complete = request.linked || std::ranges::all_of(request.symbols, [&](const symbol_info& s) {
                       return view->seen.find(s.name) != nullptr;
                     });
    if (!described) return view;  // tried again with the next build
    if (!view->complete) found.unseen.emplace_back(host_unseen);
    const std::lock_guard lock(mutex_);
    return hosts_.emplace(key, std::move(view)).first->second;
  }

  // The host's idea of a symbol is the template argument of the function that spells its declaration: in debug
  // information, an entry that the function's address leads to.
  // @return false: the reader did not answer
  bool describe_host(const guard_request& request, host_view& view, findings& found) const {
    const auto spelled =
        std::ranges::find_if(request.symbols, [](const symbol_info& s) { return s.declaration != nullptr; });
    if (spelled == request.symbols.end()) return true;
    const auto image = types::find_host_image(reinterpret_cast<std::uintptr_t>(spelled->declaration));
    if (!image) return true;
    const types::debug_input input = types::find_debug_input(image->file.get(), image->path, options_.debug_roots);
    if (!input.any) return true;
    types::request ask = types::within(options_.time_limit);
    ask.path = image->path;
    ask.search = true;
    for (const symbol_info& s : request.symbols) {
      const auto code = reinterpret_cast<std::uintptr_t>(s.declaration);
      if (code != 0 && image->holds(code)) ask.symbols.push_back({s.name, s.function, code - image->base});
    }
    types::helper_process reader(options_.helper, std::move(ask), image->file.get(), input.separate.get(),
                                 options_.orphan_helper);
    const shared_description answer = collect(reader, "the host", found);
    if (answer != nullptr) view.seen = *answer;
    return answer != nullptr;
  }

  // --- memory ------------------------------------------------------------------------------------

  // The running generation was the candidate of an earlier check, unless the guard came later.
  shared_description recall(const guard_request& request, const std::string& key, const types::request& ask) {
    if (request.running < 0) return nullptr;
    const snapshot_id running = id_of(request.running);
    {
      const std::lock_guard lock(mutex_);
      for (const remembered& r : libraries_[{std::string(request.path), key}]) {
        if (r.snapshot == running) return r.what;
      }
    }
    const types::debug_input input = types::find_debug_input(request.running, request.path, options_.debug_roots);
    if (!input.any) return nullptr;
    findings ignored;  // the host is still there to compare with
    types::helper_process reader(options_.helper, ask, request.running, input.separate.get(), options_.orphan_helper);
    return collect(reader, "the running version", ignored);
  }

  void remember(const guard_request& request, const std::string& key, const shared_description& running,
                const shared_description& candidate) {
    const std::lock_guard lock(mutex_);
    std::vector<remembered>& both = libraries_[{std::string(request.path), key}];
    both.clear();
    both.push_back({id_of(request.candidate), candidate});
    if (running) both.push_back({id_of(request.running), running});
  }

  void say_once(std::string_view path, std::string text, std::vector<std::string>& notes) {
    const std::lock_guard lock(mutex_);
    if (said_.emplace(std::string(path), text).second) notes.push_back(std::move(text));
  }

  // --- variables, which show their size without debug information --------------------------------

  void check_variables(const guard_request& request, findings& found) const {
    std::vector<std::string_view> names;
    for (const symbol_info& s : request.symbols) {
      if (!s.function) names.emplace_back(s.name);
    }
    if (names.empty()) return;
    const std::vector<types::exported_symbol> exported = types::find_exported(request.candidate, names);
    for (const symbol_info& s : request.symbols) {
      const auto there = std::ranges::find(exported, s.name, &types::exported_symbol::name);
      if (s.function || there == exported.end() || found.has(s.name) || excepted(s.name)) continue;
      const std::string name = s.name;
      if (there->type == STT_TLS) {
        found.differences.push_back({name, name + ": thread-local in the library, one for all threads in the host"});
      } else if (there->type != STT_OBJECT && there->type != STT_NOTYPE) {
        found.differences.push_back({name, name + ": a variable in the host, a function in the library"});
      } else if (const bool seen = found.candidate && found.candidate->find(name) != nullptr;
                 !seen && s.size != 0 && there->size != s.size) {
        found.differences.push_back({name, name + ": " + std::to_string(s.size) + " bytes in the host, " +
                                               std::to_string(there->size) + " in the library"});
      }
    }
  }

  bool excepted(std::string_view name) const {
    return std::ranges::find(options_.exceptions, name) != options_.exceptions.end();
  }

  static constexpr const char* host_unseen =
      "the host has no debug information (-g) for its API struct: signatures are checked, but no layouts against it";

  abi_guard_options options_;
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<const host_view>> hosts_;
  std::map<std::pair<std::string, std::string>, std::vector<remembered>> libraries_;
  std::set<std::pair<std::string, std::string>> said_;
};

}  // namespace

std::string detail::guard_helper(const char* said_by_build, const char* header) {
  return types::helper_place(said_by_build, header);
}

std::shared_ptr<abi_checker> make_abi_guard(abi_guard_options options) {
  return std::make_shared<abi_guard>(std::move(options));
}

}  // namespace autoreload
