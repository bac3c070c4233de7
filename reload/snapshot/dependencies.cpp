// SPDX-License-Identifier: MIT
// dependencies: finds, copies, renames and opens private dependencies.
//
// SHARED  the counter of aliases, which is atomic and only has to be different each time.
#include "reload/snapshot/dependencies.hpp"

#include <dlfcn.h>

#include <algorithm>
#include <atomic>
#include <cstring>

#include "digest/digest.hpp"
#include "elf/dynamic_section.hpp"
#include "reload/retire/retire.hpp"
#include "system/host_signals.hpp"

namespace autoreload {
namespace {

constexpr std::size_t tag_length = 5;  // 36^4 aliases of one name before one comes again

constexpr std::string_view system_roots[] = {"/lib", "/usr/lib", "/lib64", "/usr/lib64", "/usr/local/lib"};

// Whether the system's packages see to it: they replace files, and never write into them.
bool is_systems(const std::string& path) {
  return std::any_of(std::begin(system_roots), std::end(system_roots), [&](std::string_view root) {
    return path.starts_with(root) && (path.size() == root.size() || path[root.size()] == '/');
  });
}

// Whether the loader looks there by itself: /usr/lib, and Debian's /usr/lib/x86_64-linux-gnu.
bool is_searched(const std::string& folder) {
  return is_systems(folder) &&
         (folder.ends_with("-linux-gnu") ||
          std::find(std::begin(system_roots), std::end(system_roots), folder) != std::end(system_roots));
}

std::string expanded(std::string entry, const std::string& folder) {
  for (const std::string token : {"${ORIGIN}", "$ORIGIN"}) {
    for (std::size_t at = 0; (at = entry.find(token, at)) != std::string::npos; at += folder.size()) {
      entry.replace(at, token.size(), folder);
    }
  }
  return entry;
}

// The folders of the run path that are the user's, and those that only $ORIGIN leads to: the loader finds nothing by
// that, since the copy lies elsewhere. It is the folder of the library's name, for the loader; where that is a link, a
// build may mean the folder that it leads to.
std::vector<std::string> folders_of(const elf_facts& facts, const snapshot& image) {
  std::vector<std::string> folders;
  if (facts.run_path.empty()) return folders;
  const std::string origins[] = {image.path.substr(0, image.path.rfind('/')), image.folder()};
  for (const std::string& entry : facts.run_path) {
    if (expanded(entry, {}).find('$') != std::string::npos) continue;  // $LIB or $PLATFORM: the loader's own matter
    for (const std::string& origin : origins) {
      std::string whole = expanded(entry, origin);
      const bool loaders = whole == entry ? is_systems(whole) : is_searched(whole);
      const bool known = std::find(folders.begin(), folders.end(), whole) != folders.end();
      if (whole.starts_with('/') && !loaders && !known) folders.push_back(std::move(whole));
    }
  }
  return folders;
}

// Adds what a path leads to now, if anything (a step of FNV-1a for each number). Says what that is.
std::optional<file_identity> mix(std::uint64_t& state, const std::string& path) {
  const auto add = [&](std::uint64_t value) { state = (state ^ value) * 1099511628211ULL; };
  struct stat status {};
  if (stat(path.c_str(), &status) != 0) {
    add(1);
    return std::nullopt;
  }
  const file_identity now = file_identity::of(status);
  for (const std::uint64_t value : {now.device, now.inode, now.size, static_cast<std::uint64_t>(now.modified),
                                    static_cast<std::uint64_t>(now.changed)}) {
    add(value + 2);
  }
  return now;
}

// A name of the same length that no other library has.
std::string alias_for(const std::string& name) {
  static std::atomic<unsigned> count{0};
  constexpr char digits[] = "0123456789abcdefghijklmnopqrstuvwxyz";
  std::string alias = name;
  alias[0] = '~';
  unsigned number = count.fetch_add(1, std::memory_order_relaxed);
  for (std::size_t i = tag_length - 1; i > 0; --i, number /= 36) alias[i] = digits[number % 36];
  return alias;
}

// Writes `alias` over each dynamic string that is `name`: DT_SONAME, DT_NEEDED and the version needs share them.
bool rename_in(snapshot& image, std::span<const std::byte> bytes, const elf_facts& facts, const std::string& name,
               const std::string& alias) {
  const elf_view file{bytes, facts.segments, 0};
  const dynamic_section dynamic = dynamic_section_of(file);
  const std::byte* const strings = file.bytes(dynamic.strings, dynamic.strings_size);
  if (strings == nullptr) return false;
  const std::string_view table(reinterpret_cast<const char*>(strings), dynamic.strings_size);
  const auto offset = static_cast<std::uint64_t>(strings - bytes.data());
  const std::string whole = '\0' + name + '\0';
  bool found = false;
  for (std::size_t at = 0; (at = table.find(whole, at)) != std::string_view::npos; ++at) {
    found = image.patch(offset + at + 1, name, alias);
    if (!found) return false;
  }
  return found;
}

class preparation {
 public:
  preparation(const std::string& path, const snapshot& image, const dependency_policy& policy,
              const private_libraries& running, dependencies& answer)
      : path_(path), policy_(policy), running_(running), answer_(answer), known_{{image.source, nullptr}} {}

  // A library whose needs are looked at, and the one that needs it.
  struct user {
    const elf_facts& facts;
    std::vector<std::string> folders;
    const user* by;
  };

  // Everything that one file needs; its own copy gets their aliases.
  private_libraries needs_of(snapshot& image, std::span<const std::byte> bytes, const elf_facts& facts,
                             const user* by = nullptr) {
    private_libraries needs;
    const user here{facts, folders_of(facts, image), by};
    for (const std::string& name : facts.needed) {
      if (answer_.no) break;
      if (const std::size_t slash = name.rfind('/'); slash != std::string::npos) {
        if (is_systems(name)) continue;
        fail("\"" + image.path + "\" needs \"" + name + "\" by its path, so no copy of that can be loaded",
             "link that with " + soname_flag(name.substr(slash + 1)) + " first, and then this");
        continue;
      }
      const found file = find(name, folders_for(name, here));
      if (file.path.empty()) continue;
      std::shared_ptr<private_library> library = take(name, file, here);
      if (library == nullptr || !rename(image, bytes, facts, name, library->alias)) continue;
      needs.push_back(std::move(library));
    }
    return needs;
  }

 private:
  struct found {
    std::string path;  // empty: nowhere
    file_identity file;
  };
  struct known_library {
    file_identity file;
    std::shared_ptr<private_library> library;  // null while what it needs is looked at
  };

  // Its own run path. But what a library above it needs by the same name is loaded before it, and serves it, too.
  static std::vector<std::string> folders_for(const std::string& name, const user& here) {
    std::vector<std::string> folders = here.folders;
    for (const user* above = here.by; above != nullptr; above = above->by) {
      const std::vector<std::string>& needed = above->facts.needed;
      if (std::find(needed.begin(), needed.end(), name) == needed.end()) continue;
      for (const std::string& folder : above->folders) {
        if (std::find(folders.begin(), folders.end(), folder) == folders.end()) folders.push_back(folder);
      }
    }
    return folders;
  }

  found find(const std::string& name, const std::vector<std::string>& folders) {
    for (const std::string& folder : folders) {
      answer_.paths.push_back(folder + "/" + name);
      const auto file = mix(answer_.state, answer_.paths.back());
      if (!file) continue;
      answer_.settled = answer_.settled && file->settled();
      return {answer_.paths.back(), *file};
    }
    for (const std::string& folder : folders) {
      const std::string path = folder + "/" + name;
      if (std::none_of(running_.begin(), running_.end(), [&](const auto& one) { return one->path == path; })) continue;
      fail(quoted(path) + " is not there", "it is loaded as soon as it is there", setback_kind::unfinished);
      break;
    }
    return {};
  }

  // The library in that file: one that this preparation or the running generation has already, or a new copy.
  std::shared_ptr<private_library> take(const std::string& name, const found& file, const user& by) {
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
    if (void* const hosts = dlopen(name.c_str(), RTLD_NOLOAD | RTLD_LAZY); hosts != nullptr) {
      dlclose(hosts);
      answer_.warnings.push_back("it shares " + name +
                                 " with the host or another library, which holds it: a rebuilt one is not loaded");
      return nullptr;
    }
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
      fail(quoted(file.path) + " has " + (seen.facts.soname.empty() ? "no SONAME" : "the SONAME " + seen.facts.soname) +
               ", so no copy of it can be loaded",
           "link it with " + soname_flag(name) + ", or run patchelf --set-soname " + name + " on it");
      return nullptr;
    }
    if (name.size() <= tag_length) {
      fail("there is no room in the name of " + quoted(file.path) + " for the " + std::to_string(tag_length) +
               " letters that tell its copies apart",
           "give it a longer name");
      return nullptr;
    }
    auto library = std::make_shared<private_library>();
    library->path = file.path;
    if (result<void> kept = taker.keep(taken.image); !kept) {
      cant_use(file.path, {setback_kind::shortage, std::move(kept.error())});
      return nullptr;
    }
    const std::size_t here = known_.size();
    known_.push_back({file.file, nullptr});
    library->needs = needs_of(taken.image, taken.bytes, seen.facts, &by);
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
    }
    known_[here].library = library;
    answer_.libraries.push_back(library);
    return library;
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
  (void)preparation(path, image, policy, running, answer).needs_of(image, bytes, facts);
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
    library->image.named = {};
  }
  return {};
}

std::uint64_t state_of(const std::vector<std::string>& paths) {
  std::uint64_t state = 0;
  for (const std::string& path : paths) mix(state, path);
  return state;
}

}  // namespace autoreload
