// SPDX-License-Identifier: MIT
// copy_beside: a hidden file in the library's directory, locked while its process lives.
//
// SHARED  the list of directories that were tidied, guarded by a flag that nobody waits for: who finds it set leaves
//         the tidying to another time, as a forked child does for good that was made while it was set.
#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <memory>
#include <optional>
#include <string_view>
#include <system_error>
#include <vector>

#include "reload/snapshot/copy_place.hpp"
#include "reload/trust/trust.hpp"

namespace autoreload {
namespace {

std::string random_tag() {
  constexpr std::string_view letters = "abcdefghijklmnopqrstuvwxyz012345";  // 32
  std::array<unsigned char, beside_tag_length> bytes{};
  if (getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) return {};
  std::string tag;
  for (const unsigned char byte : bytes) tag += letters[byte % letters.size()];
  return tag;
}

// What is left of a name behind prefix and tag: the library's.
std::optional<std::string> library_of(std::string_view name) {
  const std::size_t start = beside_prefix.size() + beside_tag_length;
  if (!name.starts_with(beside_prefix) || name.size() <= start + 1 || name[start] != '-') return std::nullopt;
  return std::string(name.substr(start + 1));
}

// A process that was killed left its file behind, but not its lock.
void remove_abandoned(const std::string& directory) {
  const std::unique_ptr<DIR, int (*)(DIR*)> list(opendir(directory.c_str()), closedir);
  if (list == nullptr) return;
  while (const dirent* const entry = readdir(list.get())) {
    if (!library_of(entry->d_name)) continue;
    const unique_fd file(openat(dirfd(list.get()), entry->d_name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    struct stat status {};
    if (file && fstat(file.get(), &status) == 0 && S_ISREG(status.st_mode) && status.st_uid == geteuid() &&
        flock(file.get(), LOCK_EX | LOCK_NB) == 0) {
      unlinkat(dirfd(list.get()), entry->d_name, 0);
    }
  }
}

// Once for each directory.
void tidy(const std::string& directory) {
  static std::atomic_flag busy;
  static auto* const tidied = new std::vector<std::string>;
  if (busy.test_and_set(std::memory_order_acquire)) return;
  if (std::find(tidied->begin(), tidied->end(), directory) == tidied->end()) {
    tidied->push_back(directory);
    remove_abandoned(directory);
  }
  busy.clear(std::memory_order_release);
}

bool contains(std::span<const std::byte> file, std::string_view text) {
  return std::string_view(reinterpret_cast<const char*>(file.data()), file.size()).find(text) != std::string_view::npos;
}

}  // namespace

result<copy_file> copy_beside(const std::string& path, const trust_policy& trust) {
  const std::string directory = path.substr(0, path.rfind('/') + 1);
  tidy(directory);
  copy_file made;
  made.stays_named = true;
  for (int attempts = 4; attempts > 0; --attempts) {
    const std::string tag = random_tag();
    if (tag.empty()) break;
    // The name is short enough for every file system, and says to a person whose copy it is.
    made.load_path = directory + std::string(beside_prefix) + tag + "-" + base_name(path).substr(0, 200);
    made.file = unique_fd(open(made.load_path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0400));
    if (!made.file && errno == EEXIST) continue;
    if (!made.file) break;
    made.name = temporary_name(made.load_path);
    struct stat status {};
    // Another process that tidies up may have been faster.
    if (flock(made.file.get(), LOCK_SH | LOCK_NB) != 0 || fstat(made.file.get(), &status) != 0 ||
        status.st_nlink == 0) {
      made.file = unique_fd();
      continue;
    }
    trust_policy directories = trust;
    directories.check_directories = true;
    directories.honour_noexec = true;
    directories.max_size = 0;
    if (const result<void> safe = check_trust(made.file.get(), made.load_path, directories); !safe) {
      return error(stage::snapshot, path, "no copy can be made beside it: " + safe.error().reason())
          .advise(safe.error().advice());
    }
    return made;
  }
  const int reason = errno;
  return error(stage::snapshot, path, "no copy can be made beside it")
      .system(std::generic_category().message(reason))
      .advise(
          "make its directory writable for this program, or set options::name to loader_name::descriptor if that is of "
          "no matter");
}

loader_name name_for(loader_name chosen, const elf_facts& facts, std::span<const std::byte> file) {
  if (chosen != loader_name::automatic) return chosen;
  const bool by_origin = facts.opens_others && (contains(file, "$ORIGIN") || contains(file, "${ORIGIN}"));
  return facts.asks_where_it_is || by_origin ? loader_name::beside : loader_name::descriptor;
}

std::string original_name(const std::string& load_path) {
  if (std::optional<std::string> library = library_of(base_name(load_path))) return *std::move(library);
  if (!load_path.starts_with("/proc/") || load_path.find("/fd/") == std::string::npos) return {};
  std::array<char, 4096> target{};
  const ssize_t length = readlink(load_path.c_str(), target.data(), target.size() - 1);
  std::string_view name(target.data(), length > 0 ? static_cast<std::size_t>(length) : 0);
  name.remove_prefix(std::min(name.size(), name.rfind('/') + 1));  // "/memfd:libplugin.so (deleted)"
  if (name.starts_with("memfd:")) name.remove_prefix(6);
  if (name.ends_with(" (deleted)")) name.remove_suffix(10);
  return name.empty() ? "a library" : std::string(name);
}

}  // namespace autoreload
