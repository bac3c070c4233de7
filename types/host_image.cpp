// SPDX-License-Identifier: MIT
// host_image: asks the loader's list, opens the file, and compares its first bytes with the ones in memory.
#include "types/host_image.hpp"

#include <fcntl.h>
#include <link.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <climits>
#include <cstring>
#include <vector>

namespace autoreload::types {

namespace {

struct search {
  std::uintptr_t code;
  bool found = false;
  std::string path{};  // empty: the main program
  std::uintptr_t base = 0;
  const char* head = nullptr;  // where the file's first bytes are mapped
  std::size_t head_size = 0;
};

int look_at(dl_phdr_info* info, std::size_t, void* data) {
  auto& wanted = *static_cast<search*>(data);
  bool holds = false;
  const char* head = nullptr;
  std::size_t head_size = 0;
  for (ElfW(Half) i = 0; i < info->dlpi_phnum; ++i) {
    const ElfW(Phdr)& segment = info->dlpi_phdr[i];
    if (segment.p_type != PT_LOAD) continue;
    const std::uintptr_t begin = info->dlpi_addr + segment.p_vaddr;
    holds |= wanted.code >= begin && wanted.code - begin < segment.p_memsz;
    if (segment.p_offset == 0) {
      head = reinterpret_cast<const char*>(begin);
      head_size = segment.p_filesz;
    }
  }
  if (!holds) return 0;
  wanted.found = true;
  wanted.path = info->dlpi_name == nullptr ? "" : info->dlpi_name;
  wanted.base = info->dlpi_addr;
  wanted.head = head;
  wanted.head_size = head_size;
  return 1;
}

// ELF header, program headers and, as every linker places it, the build-id: different for every build.
bool same_head(int file, const search& loaded) {
  std::vector<char> bytes(std::min<std::size_t>(loaded.head_size, 4096));
  const ssize_t got = pread(file, bytes.data(), bytes.size(), 0);
  return got > 0 && static_cast<std::size_t>(got) == bytes.size() &&
         std::memcmp(bytes.data(), loaded.head, bytes.size()) == 0;
}

search find_loaded(std::uintptr_t code) {
  search wanted{.code = code};
  dl_iterate_phdr(look_at, &wanted);
  return wanted;
}

}  // namespace

bool host_image::holds(std::uintptr_t code) const {
  const search wanted = find_loaded(code);
  return wanted.found && wanted.base == base;
}

std::optional<host_image> find_host_image(std::uintptr_t code) {
  const search wanted = find_loaded(code);
  if (!wanted.found || wanted.head == nullptr) return std::nullopt;
  // The link in /proc leads to the very file that runs, even when another has taken its name.
  const char* const name = wanted.path.empty() ? "/proc/self/exe" : wanted.path.c_str();
  unique_fd file(open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file || !same_head(file.get(), wanted)) return std::nullopt;
  host_image image{wanted.path, std::move(file), wanted.base};
  if (image.path.empty()) {
    std::array<char, PATH_MAX> target;
    const ssize_t size = readlink(name, target.data(), target.size());
    if (size > 0) image.path.assign(target.data(), static_cast<std::size_t>(size));
  }
  return image;
}

}  // namespace autoreload::types
