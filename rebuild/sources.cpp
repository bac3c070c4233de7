// SPDX-License-Identifier: MIT
// sources: paths, and a hash of each file's content.
#include "rebuild/sources.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <set>
#include <string_view>
#include <system_error>

#include "system/unique_fd.hpp"

namespace autoreload::building {
namespace fs = std::filesystem;
namespace {

bool lies_in(const std::string& path, std::string_view directory) {
  return path.size() > directory.size() && path.starts_with(directory) && path[directory.size()] == '/';
}

bool is_systems(const std::string& path) {
  constexpr std::array systems{"/usr", "/lib", "/lib64", "/opt", "/proc", "/sys", "/dev", "/nix", "/gnu"};
  if (lies_in(path, "/usr/src") || lies_in(path, "/usr/local/src")) return false;
  return std::any_of(systems.begin(), systems.end(), [&](const char* directory) { return lies_in(path, directory); });
}

constexpr std::size_t piece_size = 65536;

// Quick rather than strong: two saves of one file must not look the same by accident. Four sums side by side, since a
// processor multiplies several numbers at once.
std::uint64_t hash(std::string_view bytes) {
  constexpr std::uint64_t factor = 0x9fb21c651e98df25;
  const auto mix = [](std::uint64_t sum, std::uint64_t word) {
    sum = (sum ^ word) * factor;
    return sum ^ sum >> 29;
  };
  std::array<std::uint64_t, 4> sums{bytes.size() * factor, 1, 2, 3};
  std::array<std::uint64_t, 4> words{};
  for (; bytes.size() >= sizeof words; bytes.remove_prefix(sizeof words)) {
    std::memcpy(words.data(), bytes.data(), sizeof words);
    for (std::size_t i = 0; i < sums.size(); ++i) sums[i] = mix(sums[i], words[i]);
  }
  for (const char c : bytes) sums[0] = mix(sums[0], static_cast<unsigned char>(c));
  return mix(mix(mix(sums[0], sums[1]), sums[2]), sums[3]);
}

bool same_look(const struct stat& a, const struct stat& b) {
  return a.st_dev == b.st_dev && a.st_ino == b.st_ino && a.st_size == b.st_size &&
         a.st_mtim.tv_sec == b.st_mtim.tv_sec && a.st_mtim.tv_nsec == b.st_mtim.tv_nsec &&
         a.st_ctim.tv_sec == b.st_ctim.tv_sec && a.st_ctim.tv_nsec == b.st_ctim.tv_nsec;
}

bool before(const timespec& a, const timespec& b) {
  return a.tv_sec != b.tv_sec ? a.tv_sec < b.tv_sec : a.tv_nsec < b.tv_nsec;
}

bool there(const std::string& path) {
  std::error_code problem;
  return fs::is_regular_file(path, problem);
}

// The file in one of the directories whose path has the longest end in common with this one.
std::string find_by_its_end(const std::string& path, const std::vector<std::string>& directories) {
  for (std::size_t slash = 0; slash != std::string::npos; slash = path.find('/', slash + 1)) {
    for (const std::string& directory : directories) {
      std::string here = directory + path.substr(slash);
      if (there(here)) return fs::path(here).lexically_normal();
    }
  }
  return {};
}

}  // namespace

std::vector<std::string> users_files(const file_choice& from) {
  // Absolute and without `..`; empty when there is no such file of the user's.
  const auto find = [&](const std::string& name) -> std::string {
    if (name.empty() || name.front() == '<') return {};  // <built-in>
    std::string path = fs::path(name).lexically_normal();
    if (path.front() == '/') {
      if (there(path)) return is_systems(path) ? std::string{} : path;
      // A compiler's cache or -ffile-prefix-map has put other directories in front of it.
      return is_systems(path) ? std::string{} : find_by_its_end(path, from.directories);
    }
    for (const std::string& directory : from.directories) {
      path = (fs::path(directory) / name).lexically_normal();
      if (there(path)) return is_systems(path) ? std::string{} : path;
    }
    return {};
  };
  std::set<std::string> found;
  for (const std::string& name : from.names) found.insert(find(name));
  for (const std::string& name : from.products) found.erase(find(name));
  found.erase(std::string());
  // In a build directory of its own every file is the build's.
  const auto outside = [&](const std::string& path) { return !lies_in(path, from.build_directory); };
  if (!from.build_directory.empty() && std::any_of(found.begin(), found.end(), outside)) {
    std::erase_if(found, [&](const std::string& path) { return !outside(path); });
  }
  return {found.begin(), found.end()};
}

namespace {

// The sum of a piece of a file; nothing at its end, or when it can't be read.
std::optional<std::uint64_t> sum_of_piece(int file, std::size_t index) {
  std::array<char, piece_size> piece;
  std::size_t size = 0;
  for (ssize_t got = 0; size < piece.size(); size += static_cast<std::size_t>(got)) {
    got = ::pread(file, piece.data() + size, piece.size() - size, static_cast<off_t>(index * piece_size + size));
    if (got <= 0) break;
  }
  if (size == 0 && index != 0) return std::nullopt;  // an empty file has one piece
  return hash(std::string_view(piece.data(), size));
}

}  // namespace

bool source_states::look(const std::string& path, state& into, reading how) {
  const unique_fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat now {};
  if (!file || ::fstat(file.get(), &now) != 0 || !S_ISREG(now.st_mode)) return false;
  into.look = now;
  into.known = true;
  into.content.clear();
  const auto differs = [&](std::size_t index, std::optional<std::uint64_t> sum) {
    return index < into.built.size() ? sum != into.built[index] : sum.has_value();
  };
  const bool may_stop = how == reading::until_it_differs && !into.built.empty();
  if (may_stop && differs(into.edited, sum_of_piece(file.get(), into.edited))) return true;
  bool same = !into.built.empty();
  while (const auto sum = sum_of_piece(file.get(), into.content.size())) {
    if (same && differs(into.content.size(), sum)) {
      same = false;
      into.edited = into.content.size();
      if (may_stop) {
        into.content.clear();
        return true;
      }
    }
    into.content.push_back(*sum);
  }
  return true;
}

void source_states::watch(const std::vector<std::string>& files, timespec since) {
  std::map<std::string, state> kept;
  for (const std::string& path : files) {
    state& one = kept[path];
    if (const auto known = files_.find(path); known != files_.end()) {
      one = known->second;
    } else if (look(path, one, reading::all) && before(one.look.st_mtim, since)) {
      one.built = one.content;
    }
  }
  files_ = std::move(kept);
}

std::vector<std::string> source_states::changed() {
  std::vector<std::string> found;
  touched_.clear();
  for (auto& [path, one] : files_) {
    struct stat now {};
    if (::stat(path.c_str(), &now) != 0) continue;
    if (!one.known || !same_look(now, one.look)) {
      if (!look(path, one, reading::until_it_differs)) continue;
      touched_.push_back(path);
    }
    if (forgotten_ || one.content != one.built) found.push_back(path);
  }
  return found;
}

void source_states::accept() {
  for (auto& [path, one] : files_) one.built = one.content;
  forgotten_ = false;
}

void source_states::complete() {
  for (auto& [path, one] : files_) {
    if (!one.known || !one.content.empty()) continue;
    const struct stat accepted = one.look;
    if (look(path, one, reading::all) && same_look(one.look, accepted)) one.built = one.content;
  }
}

void source_states::make_newer_than(const std::vector<std::string>& files, timespec from, timespec to) {
  for (const std::string& path : files) {
    const auto known = files_.find(path);
    if (known == files_.end()) continue;
    state& one = known->second;
    if (before(one.look.st_mtim, from) || before(to, one.look.st_mtim)) continue;
    std::array<timespec, 2> times{timespec{0, UTIME_OMIT}, timespec{}};
    ::clock_gettime(CLOCK_REALTIME, &times[1]);
    if (::utimensat(AT_FDCWD, path.c_str(), times.data(), 0) == 0) ::stat(path.c_str(), &one.look);
  }
}

}  // namespace autoreload::building
