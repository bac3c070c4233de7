// SPDX-License-Identifier: MIT
// dependencies: finds, copies, renames and opens private dependencies.
#include "reload/dependencies/dependencies.hpp"

#include <dlfcn.h>
#include <link.h>

#include <algorithm>
#include <map>
#include <optional>

#include "reload/dependencies/alias.hpp"
#include "reload/dependencies/needed_file.hpp"
#include "reload/dependencies/packaged.hpp"
#include "reload/dependencies/running_libraries.hpp"
#include "reload/load/loaded.hpp"
#include "reload/retire/retire.hpp"
#include "system/host_signals.hpp"

namespace autoreload {
namespace {

class preparation {
 public:
  preparation(const std::string& path, const snapshot& image, const dependency_policy& policy,
              const private_libraries& running, dependencies& answer)
      : path_(path), policy_(policy), running_(running), answer_(answer), known_{{image.source, nullptr}} {}

  // Everything that one file needs. Its own copy gets their aliases, if there is one.
  private_libraries needs_of(snapshot* copy, std::span<const std::byte> bytes, const needing_library& here) {
    private_libraries needs;
    for (const std::string& name : here.facts.needed) {
      if (answer_.no) break;
      if (const std::size_t slash = name.rfind('/'); slash != std::string::npos) {
        if (in_system_directory(name)) continue;
        fail("\"" + (copy != nullptr ? copy->path : path_) + "\" needs \"" + name +
                 "\" by its path, so no copy of that can be loaded",
             "link that with " + soname_flag(name.substr(slash + 1)) + " first, and then this");
        continue;
      }
      if (comes_from_elsewhere(name)) continue;
      const needed_file file = find(name, here);
      const auto running = file.path.empty() ? running_library::copy_named(name, policy_.self)
                                             : running_library::copy_of(file.file, policy_.self);
      if (file.path.empty() && !running) continue;
      if (running && file.path.empty()) answer_.rely_on(running->file);
      std::shared_ptr<private_library> library = running ? share(name, *running) : take(name, file, here);
      if (library == nullptr || (copy != nullptr && !rename(*copy, bytes, here.facts, name, library->alias))) continue;
      needs.push_back(std::move(library));
    }
    return needs;
  }

 private:
  struct known_library {
    file_identity file;
    std::shared_ptr<private_library> library;  // null while what it needs is looked at
  };

  // The loader takes whatever the process has by that name. Each name is asked for once.
  bool comes_from_elsewhere(const std::string& name) {
    if (!loaded_) loaded_.emplace();
    if (!loaded_->may_have(name)) return false;  // the loader would go and look through its directories
    const auto [known, first] = elsewhere_.try_emplace(name, false);
    if (first) known->second = the_loader_has(name);
    return known->second;
  }

  bool the_loader_has(const std::string& name) {
    void* const handle = dlopen(name.c_str(), RTLD_NOLOAD | RTLD_LAZY);
    if (handle == nullptr) return false;
    link_map* map = nullptr;
    const std::string file = dlinfo(handle, RTLD_DI_LINKMAP, &map) == 0 ? map->l_name : "";
    dlclose(handle);
    if (!original_name(file).empty()) return false;  // a copy of ours
    if (policy_.linked || file.find('/') == std::string::npos || is_packaged(file)) return true;
    answer_.warnings.push_back("it shares " + name +
                               " with the host or another library, which holds it: a rebuilt one is not loaded, and "
                               "who writes into \"" +
                               file + "\" instead of replacing it changes or ends this program");
    return true;
  }

  needed_file find(const std::string& name, const needing_library& here) {
    if (!places_) places_.emplace();
    const std::vector<search_directory> directories = directories_for(name, here, *places_);
    needed_file file = find_needed(name, directories, running_, answer_);
    if (!file.path.empty() || file.packaged) return file;
    for (const auto& one : directories) {
      const std::string path = one.path + "/" + name;
      if (std::none_of(running_.begin(), running_.end(), [&](const auto& old) { return old->path == path; })) continue;
      fail(quoted(path) + " is not there", "it is loaded as soon as it is there", setback_kind::unfinished);
      break;
    }
    return file;
  }

  // The library in that file: one that this preparation or the running generation has already, or a new copy.
  std::shared_ptr<private_library> take(const std::string& name, const needed_file& file, const needing_library& by) {
    // One file is one library, by whatever way it is found: so it is for the loader.
    for (const known_library& one : known_) {
      if (one.file.device != file.file.device || one.file.inode != file.file.inode) continue;
      if (one.library == nullptr) {
        fail(name + " is needed by what it needs itself", "make one library of those that need each other");
        return nullptr;
      }
      // By another name the alias would not fit.
      if (one.library->path.ends_with('/' + name)) return one.library;
    }
    if (auto library = unchanged(file, by)) return library;
    snapshotter taker;
    snapshot_outcome taken = taker.take({file.path, policy_.trust, false, policy_.patience});
    if (taken.no) {
      cant_use(file.path, *std::move(taken.no));
      return nullptr;
    }
    const inspection seen = inspect(taken.bytes, this_machine, writing_of(taken.unfinished_for));
    if (auto no = setback_of(seen, policy_.require_digest, taken.unfinished_for)) {
      cant_use(file.path, *std::move(no));
      return nullptr;
    }
    // What can't be copied would be mapped from the file itself, which the next build may truncate under its callers.
    if (seen.facts.soname != name) {
      if (the_loader_has(name)) return nullptr;  // this very file, by another name
      refuse_or_leave(file,
                      quoted(file.path) + " has " +
                          (seen.facts.soname.empty() ? "no SONAME" : "the SONAME " + seen.facts.soname) +
                          ", so no copy of it can be loaded",
                      "link it with " + soname_flag(name) + ", or run patchelf --set-soname " + name + " on it");
      return nullptr;
    }
    if (name.size() <= alias_tag_length) {
      refuse_or_leave(file,
                      "there is no room in the name of " + quoted(file.path) + " for the " +
                          std::to_string(alias_tag_length) + " letters that tell its copies apart",
                      "give it a longer name");
      return nullptr;
    }
    auto library = std::make_shared<private_library>();
    library->path = file.path;
    const loader_name named = name_for(policy_.name, seen.facts, taken.bytes);
    if (result<void> kept = taker.keep(taken.image, {named, policy_.trust}); !kept) {
      cant_use(file.path, {setback_kind::shortage, std::move(kept.error())});
      return nullptr;
    }
    const std::size_t here = known_.size();
    known_.push_back({file.file, nullptr});
    library->facts = seen.facts;
    library->searched = run_path_of(seen.facts, taken.image, has_run_path({taken.bytes, seen.facts.segments, 0}));
    library->needs = needs_of(&taken.image, taken.bytes, {library->facts, library->searched, &by});
    if (answer_.no) return nullptr;
    const auto same = std::find_if(running_.begin(), running_.end(), [&](const auto& one) {
      return one->path == file.path && one->needs == library->needs && taker.same_content(one->image);
    });
    if (same != running_.end()) {
      library = *same;
    } else {
      library->alias = alias_for(name);
      if (!rename(taken.image, taken.bytes, seen.facts, name, library->alias)) return nullptr;
      library->image = std::move(taken.image);
      library->image.view = {};  // it goes with the taker
      if (!library->image.remark.empty()) answer_.warnings.push_back(quoted(file.path) + ": " + library->image.remark);
    }
    known_[here].library = library;
    answer_.libraries.push_back(library);
    return library;
  }

  // The generation that another engine runs, and what that one needs.
  std::shared_ptr<private_library> share(const std::string& name, const running_copy& running) {
    if (std::any_of(running.needs.begin(), running.needs.end(), [&](const auto& one) { return needs_self(*one); })) {
      fail(name + " is needed by what it needs itself", "make one library of those that need each other");
    } else if (running.alias.empty() || running.soname != name) {
      fail(quoted(running.file) + ", which this program runs, has " +
               (running.soname.empty() ? "no SONAME" : "the SONAME " + running.soname) +
               ", by which it can't be shared",
           "link it with " + soname_flag(name) + "; the name needs more than " + std::to_string(alias_tag_length) +
               " letters and must not be the end of another in that library");
    } else if (running.pending) {
      fail(quoted(running.file) + " has changed, and its own reloadable has not yet taken or refused it",
           "it is loaded when that has; where it is driven by hand, call its poll()", setback_kind::unfinished);
    }
    if (answer_.no) return nullptr;
    for (const auto& list : {running_, answer_.libraries}) {
      for (const auto& one : list) {
        if (one->by == running.by && one->alias == running.alias) return shared(one);
      }
    }
    auto library = std::make_shared<private_library>();
    library->path = running.file;
    library->alias = running.alias;
    library->image.load_path = running.load_path;
    library->needs = running.needs;
    library->by = running.by;
    library->handle = dlopen(running.load_path.c_str(), RTLD_NOLOAD | RTLD_NOW);
    if (library->handle == nullptr) {
      fail(quoted(running.file) + " is being reloaded", "it is loaded when that is done", setback_kind::unfinished);
      return nullptr;
    }
    return shared(library);
  }

  // Its dependencies are this library's, too, should that need one of them.
  const std::shared_ptr<private_library>& shared(const std::shared_ptr<private_library>& library) {
    for (const auto& one : library->needs) shared(one);
    const auto known = std::find(answer_.libraries.begin(), answer_.libraries.end(), library);
    if (known != answer_.libraries.end()) return library;
    if (library->by == nullptr) known_.push_back({library->image.source, library});
    answer_.libraries.push_back(library);
    return library;
  }

  [[nodiscard]] bool needs_self(const private_library& library) const {
    return (policy_.self != nullptr && library.by == policy_.self) ||
           std::any_of(library.needs.begin(), library.needs.end(), [&](const auto& one) { return needs_self(*one); });
  }

  // The running generation's, if nothing of it changed: then it isn't even read.
  std::shared_ptr<private_library> unchanged(const needed_file& file, const needing_library& by) {
    std::shared_ptr<private_library> library = unchanged_among(running_, file.path, file.file);
    if (library == nullptr) return nullptr;
    const std::size_t here = known_.size();
    known_.push_back({file.file, nullptr});
    if (needs_of(nullptr, {}, {library->facts, library->searched, &by}) != library->needs || answer_.no) {
      known_.resize(here);
      return nullptr;
    }
    known_[here].library = library;
    answer_.libraries.push_back(library);
    return library;
  }

  // What its user's run path leads to is the user's own, who can link it anew. Of others it is said that the loader
  // maps them from their files.
  void refuse_or_leave(const needed_file& file, const std::string& reason, const std::string& advice) {
    if (file.run_path) return fail(reason, advice);
    answer_.left.push_back({file.path, reason + ": " + advice});
  }

  bool rename(snapshot& image, std::span<const std::byte> bytes, const elf_facts& facts, const std::string& name,
              const std::string& alias) {
    if (rename_in(image, bytes, facts, name, alias)) return true;
    fail("the name " + name + " can't be changed in a copy of \"" + image.path +
             "\": it is stored as the end of another",
         "let no other name in that library end in " + name);
    return false;
  }

  static std::string quoted(const std::string& file) { return "its dependency \"" + file + "\""; }
  static std::string soname_flag(const std::string& name) { return "-Wl,-soname," + name; }

  void cant_use(const std::string& file, setback no) {
    const bool gone = no.kind == setback_kind::unfinished && no.why->at() == stage::snapshot;  // it was there just now
    std::string reason = quoted(file) + " can't be used: " + no.why->reason();
    if (gone) reason = quoted(file) + " is not there";
    if (no.kind == setback_kind::busy) reason = quoted(file) + " is being written";
    fail(std::move(reason), no.why->advice(), no.kind == setback_kind::busy ? setback_kind::unfinished : no.kind);
    answer_.no->why->system(no.why->system());
    answer_.no->writing = no.writing;
    answer_.no->again_in = no.again_in;
  }
  void fail(std::string reason, std::string advice, setback_kind kind = setback_kind::refused_content) {
    answer_.no = {kind, error(stage::snapshot, path_, std::move(reason)).advise(std::move(advice))};
  }

  const std::string& path_;
  const dependency_policy& policy_;
  const private_libraries& running_;
  dependencies& answer_;
  std::vector<known_library> known_;  // the library itself first
  std::optional<loader_places> places_;
  std::optional<loaded_names> loaded_;
  std::map<std::string, bool> elsewhere_;
};

}  // namespace

private_library::~private_library() {
  if (handle == nullptr) return;
  const hosts_signals while_destructors_run;
  dlclose(handle);
  let_go(std::move(image));  // it may stay, and then its name must
}

dependencies prepare_dependencies(const std::string& path, snapshot& image, std::span<const std::byte> bytes,
                                  const elf_facts& facts, const dependency_policy& policy,
                                  const private_libraries& running) {
  dependencies answer;
  answer.looked_for = true;
  const own_run_path searched = run_path_of(facts, image, has_run_path({bytes, facts.segments, 0}));
  (void)preparation(path, image, policy, running, answer).needs_of(&image, bytes, {facts, searched, nullptr});
  return answer;
}

result<void> open_dependencies(const private_libraries& libraries, const std::string& path, int flags) {
  for (const auto& library : libraries) {
    if (library->handle != nullptr) continue;
    complete(library->image);  // before a debugger reads it
    const hosts_signals while_constructors_run;
    library->handle = dlopen(library->image.load_path.c_str(), flags);
    if (library->handle == nullptr) {
      const char* const text = dlerror();
      error failure(stage::load, path, "dlopen refused its dependency \"" + library->path + "\"");
      failure.system(text != nullptr ? text : "");
      return failure;
    }
    library->image.loaded();
  }
  return {};
}

std::optional<file_identity> dependencies::rely_on(const std::string& path) {
  paths.push_back(path);
  return add_state(state, path);
}

std::uint64_t state_of(const std::vector<std::string>& paths) {
  std::uint64_t state = 0;
  for (const std::string& path : paths) add_state(state, path);
  return state;
}

}  // namespace autoreload
