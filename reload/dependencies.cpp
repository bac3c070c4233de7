// SPDX-License-Identifier: MIT
// dependencies: finds, copies, renames and opens private dependencies.
//
// SHARED  the counter of aliases, which is atomic and only has to be different each time.
#include "dependencies.hpp"

#include <dlfcn.h>

#include <algorithm>
#include <atomic>
#include <cstring>

#include "dynamic_section.hpp"
#include "retire.hpp"

namespace autoreload {
namespace {

constexpr std::size_t tag_length = 5;  // 36^4 aliases of one name before one comes again

bool is_systems(const std::string& folder) {
  for (const char* const root : {"/lib", "/usr/lib", "/lib64", "/usr/lib64", "/usr/local/lib"}) {
    if (folder.starts_with(root)) return true;
  }
  return false;
}

std::string expanded(std::string entry, const std::string& folder) {
  for (const std::string token : {"${ORIGIN}", "$ORIGIN"}) {
    for (std::size_t at = 0; (at = entry.find(token, at)) != std::string::npos; at += folder.size()) {
      entry.replace(at, token.size(), folder);
    }
  }
  return entry;
}

// The folders of the run path that are the user's.
std::vector<std::string> folders_of(const elf_facts& facts, const snapshot& image) {
  std::vector<std::string> folders;
  if (facts.run_path.empty()) return folders;
  const std::string folder = image.folder();
  for (const std::string& entry : facts.run_path) {
    std::string whole = expanded(entry, folder);
    if (whole.starts_with('/') && !is_systems(whole) && whole.find('$') == std::string::npos)
      folders.push_back(std::move(whole));
  }
  return folders;
}

// Adds what a path leads to now, if anything (a step of FNV-1a for each number). Says whether it is there.
bool mix(std::uint64_t& state, const std::string& path) {
  const auto add = [&](std::uint64_t value) { state = (state ^ value) * 1099511628211ULL; };
  struct stat status {};
  if (stat(path.c_str(), &status) != 0) {
    add(1);
    return false;
  }
  const file_identity now = file_identity::of(status);
  for (const std::uint64_t value : {now.device, now.inode, now.size, static_cast<std::uint64_t>(now.modified),
                                    static_cast<std::uint64_t>(now.changed)}) {
    add(value + 2);
  }
  return true;
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
  preparation(const std::string& path, const trust_policy& trust, const private_libraries& running,
              dependencies& answer)
      : path_(path), trust_(trust), running_(running), answer_(answer) {}

  // Everything that one file needs; its own copy gets their aliases.
  private_libraries needs_of(snapshot& image, std::span<const std::byte> bytes, const elf_facts& facts) {
    private_libraries needs;
    const std::vector<std::string> folders = folders_of(facts, image);
    for (const std::string& name : facts.needed) {
      if (answer_.failure || folders.empty() || name.find('/') != std::string::npos) continue;
      const std::string file = find(name, folders);
      if (file.empty()) continue;
      if (void* const hosts = dlopen(name.c_str(), RTLD_NOLOAD | RTLD_LAZY); hosts != nullptr) {
        dlclose(hosts);
        answer_.warnings.push_back("it shares " + name +
                                   " with the host or another library, which holds it: a rebuilt one is not loaded");
        continue;
      }
      std::shared_ptr<private_library> library = take(name, file);
      if (library == nullptr) continue;
      if (!rename_in(image, bytes, facts, name, library->alias)) {
        fail("the name of its dependency " + name + " can't be changed in the copy", "");
        continue;
      }
      needs.push_back(std::move(library));
    }
    return needs;
  }

 private:
  std::string find(const std::string& name, const std::vector<std::string>& folders) {
    for (const std::string& folder : folders) {
      answer_.paths.push_back(folder + "/" + name);
      if (mix(answer_.state, answer_.paths.back())) return answer_.paths.back();
    }
    const auto was_there = [&](const auto& one) {
      return std::any_of(folders.begin(), folders.end(),
                         [&](auto& folder) { return one->path == folder + "/" + name; });
    };
    if (std::any_of(running_.begin(), running_.end(), was_there)) {
      fail("its dependency " + name + " is not there", "it is loaded as soon as it is there");
      answer_.passing = true;
    }
    return {};
  }

  // The library at `file`: one that this preparation or the running generation has already, or a new copy.
  std::shared_ptr<private_library> take(const std::string& name, const std::string& file) {
    for (const auto& one : answer_.libraries) {
      if (one->path == file) return one;
    }
    snapshotter taker;
    snapshot_outcome taken = taker.take({file, trust_, false, false});
    if (taken.state != snapshot_state::ready) {
      if (taken.failure) {
        fail("its dependency " + name + " can't be used: " + taken.failure->reason(), taken.failure->advice());
        answer_.failure->system(taken.failure->system());
        answer_.shortage = taken.may_pass;
      } else {
        fail("its dependency " + name + " is being written", "");
        answer_.passing = true;
      }
      return nullptr;
    }
    const inspection seen = inspect(taken.bytes);
    if (seen.is != verdict::sound) {
      fail("its dependency " + name + " can't be used: " + seen.reason, seen.advice);
      answer_.passing = seen.is == verdict::incomplete;
      return nullptr;
    }
    if (name.size() <= tag_length || seen.facts.soname != name) {
      answer_.warnings.push_back("its dependency " + name + " has " +
                                 (seen.facts.soname.empty() ? "no SONAME" : "the SONAME " + seen.facts.soname) +
                                 ", so it can't be reloaded with it; link it with -Wl,-soname," + name);
      return nullptr;
    }
    auto library = std::make_shared<private_library>();
    library->path = file;
    if (const result<void> kept = taker.keep(taken.image); !kept) {
      fail("its dependency " + name + " can't be used: " + kept.error().reason(), kept.error().advice());
      answer_.failure->system(kept.error().system());
      answer_.shortage = true;
      return nullptr;
    }
    library->needs = needs_of(taken.image, taken.bytes, seen.facts);
    if (answer_.failure) return nullptr;
    for (const auto& one : running_) {
      if (one->path == file && one->needs == library->needs && taker.same_content(one->image)) {
        answer_.libraries.push_back(one);
        return one;
      }
    }
    library->alias = alias_for(name);
    if (!rename_in(taken.image, taken.bytes, seen.facts, name, library->alias)) {
      fail("the name of its dependency " + name + " can't be changed in the copy", "");
      return nullptr;
    }
    library->image = std::move(taken.image);
    answer_.libraries.push_back(library);
    return library;
  }

  void fail(std::string reason, std::string advice) {
    answer_.failure = error(stage::snapshot, path_, std::move(reason)).advise(std::move(advice));
  }

  const std::string& path_;
  const trust_policy& trust_;
  const private_libraries& running_;
  dependencies& answer_;
};

}  // namespace

private_library::~private_library() {
  if (handle == nullptr) return;
  dlclose(handle);
  let_go(std::move(image));  // it may stay, and then its name must
}

dependencies prepare_dependencies(const std::string& path, snapshot& image, std::span<const std::byte> bytes,
                                  const elf_facts& facts, const trust_policy& trust, const private_libraries& running) {
  dependencies answer;
  (void)preparation(path, trust, running, answer).needs_of(image, bytes, facts);
  return answer;
}

result<void> open_dependencies(const private_libraries& libraries, const std::string& path, int flags) {
  for (const auto& library : libraries) {
    if (library->handle != nullptr) continue;
    complete(library->image);  // before a debugger reads it
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
