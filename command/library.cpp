// SPDX-License-Identifier: MIT
// library: a name without a slash is looked up by the dynamic loader, in a child, because that runs constructors.
#include "library.hpp"

#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>

#include "elf/sections.hpp"
#include "reload/inspect/inspect.hpp"
#include "system/unique_fd.hpp"

namespace autoreload::command {

namespace {

// The path of what dlopen finds, or nothing.
std::string path_by_loader(const std::string& name) {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) return {};
  unique_fd in(ends[0]);
  unique_fd out(ends[1]);
  const pid_t child = fork();
  if (child < 0) return {};
  if (child == 0) {
    alarm(10);
    const int quiet = ::open("/dev/null", O_RDWR);
    dup2(quiet, STDOUT_FILENO);
    dup2(quiet, STDERR_FILENO);
    link_map* map = nullptr;
    void* const handle = dlopen(name.c_str(), RTLD_LAZY | RTLD_LOCAL);
    if (handle != nullptr && dlinfo(handle, RTLD_DI_LINKMAP, &map) == 0) {
      static_cast<void>(!write(out.get(), map->l_name, std::strlen(map->l_name)));
    }
    _exit(0);
  }
  out = unique_fd();
  std::string path;
  std::array<char, PATH_MAX> part;
  for (ssize_t got = 0; (got = read(in.get(), part.data(), part.size())) > 0;) {
    path.append(part.data(), static_cast<std::size_t>(got));
  }
  waitpid(child, nullptr, 0);
  return path;
}

// Calls visit(symbol, its type, its name, whether it is hidden) for each that the file defines.
template <class Visit>
void each_symbol(std::span<const std::byte> bytes, std::string_view section, Visit visit) {
  const elf_sections sections(bytes);
  Elf64_Shdr table;
  Elf64_Shdr strings;
  if (!sections.find(section, table) || !sections.at(table.sh_link, strings)) return;
  const file_bytes symbols = sections.content(table);
  const file_bytes names = sections.content(strings);
  Elf64_Sym symbol;
  for (std::uint64_t i = 1; read_record(symbols, i, symbol); ++i) {  // the first is none
    if (symbol.st_shndx == SHN_UNDEF) continue;
    const bool hidden = ELF64_ST_VISIBILITY(symbol.st_other) == STV_HIDDEN;
    visit(symbol, ELF64_ST_TYPE(symbol.st_info), string_at(names, symbol.st_name), hidden);
  }
}

std::vector<exported_name> exports_of(std::span<const std::byte> bytes) {
  std::vector<exported_name> list;
  each_symbol(bytes, ".dynsym", [&](const Elf64_Sym& symbol, unsigned type, std::string_view name, bool hidden) {
    const bool function = type == STT_FUNC || type == STT_GNU_IFUNC;
    if (symbol.st_shndx == SHN_ABS || name.empty() || hidden) return;
    if (function || type == STT_OBJECT || type == STT_TLS) list.push_back({std::string(name), function});
  });
  std::ranges::sort(list, {}, &exported_name::name);
  const auto same_name = [](const exported_name& a, const exported_name& b) { return a.name == b.name; };
  list.erase(std::unique(list.begin(), list.end(), same_name), list.end());  // versions of one symbol
  return list;
}

// What the compiler made of a function is none of the source's: `foo.part.0`, `counter.1`.
bool is_of_the_source(std::string_view name) {
  return !name.empty() && name.find('.') == std::string_view::npos && name.find('$') == std::string_view::npos;
}

std::vector<local_name> locals_of(std::span<const std::byte> bytes) {
  std::vector<local_name> list;
  each_symbol(bytes, ".symtab", [&](const Elf64_Sym& symbol, unsigned type, std::string_view name, bool hidden) {
    // A hidden one is local here, too.
    if (ELF64_ST_BIND(symbol.st_info) != STB_LOCAL && !hidden) return;
    if (symbol.st_shndx >= SHN_LORESERVE || symbol.st_value == 0) return;
    if ((type == STT_FUNC || type == STT_OBJECT) && is_of_the_source(name)) {
      list.push_back({std::string(name), type == STT_FUNC, symbol.st_value});
    }
  });
  std::ranges::sort(list, {}, &local_name::name);
  return list;
}

}  // namespace

std::vector<std::byte> bytes_of(const std::string& path) {
  const unique_fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat status {};
  if (!file || fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode)) return {};
  std::vector<std::byte> bytes(static_cast<std::size_t>(status.st_size));
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t got = pread(file.get(), bytes.data() + done, bytes.size() - done, static_cast<off_t>(done));
    if (got <= 0) break;
    done += static_cast<std::size_t>(got);
  }
  bytes.resize(done);
  return bytes;
}

result<library> library::open(const std::string& name) {
  library made;
  made.path_ = name;
  if (name.find('/') == std::string::npos && access(name.c_str(), F_OK) != 0) {
    made.path_ = path_by_loader(name);
    if (made.path_.empty()) {
      return error(stage::use, name, "there is no such file, and the dynamic loader finds no library of this name")
          .advise("name it by its path, such as ./" + name);
    }
  }
  if (made.path_.find('/') == std::string::npos) made.path_ = "./" + made.path_;  // dlopen would search for it
  if (access(made.path_.c_str(), R_OK) != 0) {
    const int code = errno;
    return error(stage::use, made.path_, code == ENOENT ? "there is no such file" : "the file can't be read")
        .system(std::strerror(code));
  }
  made.bytes_ = bytes_of(made.path_);
  if (made.bytes_.empty()) return error(stage::use, made.path_, "the file is empty, or no regular file");
  made.exports_ = exports_of(made.bytes_);
  const std::vector<local_name> all = locals_of(made.bytes_);
  for (std::size_t i = 0; i < all.size(); ++i) {
    const bool twice =
        (i != 0 && all[i - 1].name == all[i].name) || (i + 1 < all.size() && all[i + 1].name == all[i].name);
    if (twice) made.shared_.insert(all[i].name);
    if (!twice && made.find(all[i].name) == nullptr) made.locals_.push_back(all[i]);
  }
  return made;
}

const exported_name* library::find(std::string_view name) const {
  const auto it = std::ranges::lower_bound(exports_, name, {}, &exported_name::name);
  return it != exports_.end() && it->name == name ? &*it : nullptr;
}

}  // namespace autoreload::command
