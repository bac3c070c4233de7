// SPDX-License-Identifier: MIT
// search_path: asks the loader for its directories, and expands a library's own.
#include "reload/dependencies/search_path.hpp"

#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <sys/auxv.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <set>
#include <system_error>

#include "reload/dependencies/packaged.hpp"
#include "system/unique_fd.hpp"

namespace autoreload {
namespace {

// The loader takes a relative directory from wherever the process is at that moment.
std::string from_here(const std::string& directory) {
  std::error_code failure;
  const std::filesystem::path whole = std::filesystem::absolute(directory.empty() ? "." : directory, failure);
  return failure ? directory : whole.string();
}

std::vector<std::string> split(const std::string& list) {
  std::vector<std::string> parts;
  for (std::size_t at = 0; at <= list.size();) {
    const std::size_t end = std::min(list.find_first_of(":;", at), list.size());
    parts.push_back(list.substr(at, end - at));
    at = end + 1;
  }
  return parts;
}

void expand(std::string& entry, const std::string& token, const std::string& value) {
  for (const std::string& spelled : {"${" + token + "}", "$" + token}) {
    for (std::size_t at = 0; (at = entry.find(spelled, at)) != std::string::npos; at += value.size()) {
      entry.replace(at, spelled.size(), value);
    }
  }
}

#ifdef __GLIBC__
// The program's DT_RPATH, if it has one that counts.
std::string program_run_path() {
  void* const program = dlopen(nullptr, RTLD_LAZY);
  link_map* map = nullptr;
  if (program == nullptr || dlinfo(program, RTLD_DI_LINKMAP, &map) != 0 || map->l_ld == nullptr) return {};
  const char* strings = nullptr;
  ElfW(Xword) at = 0;
  bool found = false;
  for (const ElfW(Dyn)* entry = map->l_ld; entry->d_tag != DT_NULL; ++entry) {
    if (entry->d_tag == DT_RUNPATH) return {};
    // The loader has relocated it, except where the section is read-only.
    if (entry->d_tag == DT_STRTAB) strings = reinterpret_cast<const char*>(entry->d_un.d_ptr);
    if (entry->d_tag == DT_RPATH) at = entry->d_un.d_val, found = true;
  }
  return found && strings != nullptr ? strings + at : "";
}

// What the loader looks through for a library without a run path of its own: libc is one.
std::vector<std::string> searched_for_libc() {
  std::vector<std::string> found;
  Dl_info info{};
  link_map* libc = nullptr;
  if (dladdr1(reinterpret_cast<const void*>(&std::abort), &info, reinterpret_cast<void**>(&libc), RTLD_DL_LINKMAP) ==
      0) {
    return found;
  }
  const bool is_program = libc == nullptr || libc->l_name == nullptr || *libc->l_name == '\0';
  void* const handle = dlopen(is_program ? nullptr : libc->l_name, RTLD_LAZY | RTLD_NOLOAD);
  if (handle == nullptr) return found;
  Dl_serinfo size;
  if (dlinfo(handle, RTLD_DI_SERINFOSIZE, &size) == 0) {
    std::vector<std::max_align_t> room(size.dls_size / sizeof(std::max_align_t) + 1);
    auto* const list = reinterpret_cast<Dl_serinfo*>(room.data());
    *list = size;
    if (dlinfo(handle, RTLD_DI_SERINFO, list) == 0) {
      for (unsigned i = 0; i < list->dls_cnt; ++i) found.emplace_back(list->dls_serpath[i].dls_name);
    }
  }
  dlclose(handle);
  return found;
}
#endif

// The real one of the file, for $ORIGIN. Until complete() has run.
std::string directory_of(const snapshot& image) {
  std::array<char, PATH_MAX> target{};
  const std::string link = "/proc/thread-self/fd/" + std::to_string(image.origin.get());
  const ssize_t length = readlink(link.c_str(), target.data(), target.size() - 1);
  std::string real(target.data(), length > 0 ? static_cast<std::size_t>(length) : 0);
  if (real.empty() || real.front() != '/') {
    char* const resolved = realpath(image.path.c_str(), nullptr);
    real = resolved != nullptr ? resolved : image.path;
    std::free(resolved);
  }
  const std::size_t slash = real.rfind('/');
  return slash == std::string::npos ? "." : real.substr(0, std::max<std::size_t>(slash, 1));
}

}  // namespace

process_search_path process_directories() {
  process_search_path answer;
#ifdef __GLIBC__
  // Both are as they were when the program started.
  static const std::vector<std::string> all = searched_for_libc();
  auto end = all.end();
  while (end != all.begin() && in_system_directory(end[-1])) --end;
  answer.defaults.assign(end, all.end());
  // The loader says which directories, not why. It dropped the equal ones.
  static const std::string program = program_run_path();
  const std::vector<std::string> entries = program.empty() ? std::vector<std::string>() : split(program);
  const auto own = std::min<std::ptrdiff_t>(
      static_cast<std::ptrdiff_t>(std::set<std::string>(entries.begin(), entries.end()).size()), end - all.begin());
  auto environment = all.begin() + own;
  // They come once for libc's sake and once for the program's.
  while (own > 0 && end - environment >= own && std::equal(all.begin(), all.begin() + own, environment))
    environment += own;
  for (auto one = all.begin(); one != all.begin() + own; ++one) answer.inherited.push_back(from_here(*one));
  for (auto one = environment; one != end; ++one) answer.environment.push_back(from_here(*one));
#else
  if (const char* const given = secure_getenv("LD_LIBRARY_PATH")) {
    for (const std::string& one : split(given)) answer.environment.push_back(from_here(one));
  }
  answer.defaults = {"/lib", "/usr/local/lib", "/usr/lib"};  // musl's
#endif
  return answer;
}

bool has_run_path(const elf_view& file) {
  const auto header = file.table_in_file<Elf64_Ehdr>(0, 1);
  const auto programs = header ? file.table_in_file<Elf64_Phdr>((*header)[0].e_phoff, (*header)[0].e_phnum)
                               : std::optional<table<Elf64_Phdr>>();
  if (!programs) return false;
  for (const Elf64_Phdr program : *programs) {
    if (program.p_type != PT_DYNAMIC) continue;
    const auto entries = file.table_at<Elf64_Dyn>(program.p_vaddr, program.p_filesz / sizeof(Elf64_Dyn));
    for (const Elf64_Dyn entry : entries.value_or(table<Elf64_Dyn>())) {
      if (entry.d_tag == DT_NULL) break;
      if (entry.d_tag == DT_RUNPATH) return true;
    }
  }
  return false;
}

// `$ORIGIN` is the directory of the library's name, for the loader; where that is a link, a build may mean the
// directory that it leads to.
own_run_path run_path_of(const elf_facts& facts, const snapshot& image, bool has_run_path) {
  own_run_path answer;
  answer.inherited = !has_run_path;
  if (facts.run_path.empty()) return answer;
  const std::string origins[] = {image.path.substr(0, image.path.rfind('/')), directory_of(image)};
  for (const std::string& entry : facts.run_path) {
    for (const std::string& origin : origins) {
      std::string whole = entry;
      expand(whole, "ORIGIN", origin);
      const bool by_origin = whole != entry;
      if (whole.find("$LIB") != std::string::npos || whole.find("${LIB}") != std::string::npos) {
        // "lib/x86_64-linux-gnu" on Debian, "lib64" on others: the first default directory's.
        const std::vector<std::string> defaults = process_directories().defaults;
        const std::string first = defaults.empty() ? "/lib" : defaults.front();
        expand(whole, "LIB", first.substr(first.starts_with("/usr/") ? 5 : 1));
      }
      const auto* const platform = reinterpret_cast<const char*>(getauxval(AT_PLATFORM));
      if (platform != nullptr) expand(whole, "PLATFORM", platform);
      search_directory found{from_here(whole), true, by_origin};
      if (std::find(answer.directories.begin(), answer.directories.end(), found) == answer.directories.end()) {
        answer.directories.push_back(std::move(found));
      }
    }
  }
  return answer;
}

bool loader_would_take(const std::string& path) {
  const unique_fd file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  Elf64_Ehdr header{};
  if (!file || pread(file.get(), &header, sizeof header, 0) != static_cast<ssize_t>(sizeof header)) return true;
  if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0) return true;
  return header.e_ident[EI_CLASS] == ELFCLASS64 && header.e_machine == static_cast<std::uint16_t>(this_machine);
}

}  // namespace autoreload
