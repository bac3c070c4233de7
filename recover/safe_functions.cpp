// SPDX-License-Identifier: MIT
// safe_functions: the functions of libc that may be left half-way, as they hold no lock and own nothing.
#include "recover/safe_functions.hpp"

#include <dlfcn.h>
#include <link.h>

#include <algorithm>
#include <array>
#include <cstddef>

namespace autoreload {
namespace {

constexpr std::array memory_functions{
    "memcpy",       "__memcpy_chk",  "memmove", "__memmove_chk", "mempcpy",       "__mempcpy_chk", "memset",
    "__memset_chk", "memcmp",        "bcmp",    "bcopy",         "bzero",         "memchr",        "memrchr",
    "rawmemchr",    "memmem",        "memccpy", "strlen",        "strnlen",       "strcmp",        "strncmp",
    "strcasecmp",   "strncasecmp",   "strchr",  "strrchr",       "strchrnul",     "strcpy",        "__strcpy_chk",
    "strncpy",      "__strncpy_chk", "stpcpy",  "__stpcpy_chk",  "stpncpy",       "strcat",        "__strcat_chk",
    "strncat",      "__strncat_chk", "strstr",  "strspn",        "strcspn",       "strpbrk",       "strsep",
    "strtok_r",     "__strtok_r",    "wcslen",  "wcsnlen",       "wcscmp",        "wcschr",        "wcscpy",
    "wmemset",      "wmemcpy",       "wmemcmp", "strcasecmp_l",  "strncasecmp_l",
};
constexpr std::array waiting_functions{
    "nanosleep",   "clock_nanosleep", "usleep",     "sleep",    "pause",   "poll",    "ppoll",  "select",  "pselect",
    "read",        "write",           "recv",       "recvfrom", "recvmsg", "send",    "accept", "accept4", "epoll_wait",
    "epoll_pwait", "sched_yield",     "sigsuspend", "waitpid",  "wait4",   "connect",
};
constexpr std::array ending_functions{"abort", "raise", "gsignal", "__assert_fail", "__assert_perror_fail", "__assert"};

std::array<std::uintptr_t, memory_functions.size()> on_memory{};
std::array<std::uintptr_t, waiting_functions.size()> waiting{};
std::array<std::uintptr_t, ending_functions.size()> ending{};
std::uintptr_t libc_begin = 0;
std::uintptr_t libc_end = 0;

std::uintptr_t address_of(void* library, const char* name) {
  return reinterpret_cast<std::uintptr_t>(::dlsym(library, name));
}

int find_libc(dl_phdr_info* object, std::size_t, void* abort_of_libc) {
  const auto wanted = reinterpret_cast<std::uintptr_t>(abort_of_libc);
  for (int i = 0; i < object->dlpi_phnum; ++i) {
    const ElfW(Phdr)& header = object->dlpi_phdr[i];
    const std::uintptr_t begin = object->dlpi_addr + header.p_vaddr;
    if (header.p_type != PT_LOAD || (header.p_flags & PF_X) == 0) continue;
    if (wanted < begin || wanted >= begin + header.p_memsz) continue;
    libc_begin = begin;
    libc_end = begin + header.p_memsz;
    return 1;
  }
  return 0;
}

template <class List>
bool holds(const List& list, std::uintptr_t address) noexcept {
  return address != 0 && std::find(list.begin(), list.end(), address) != list.end();
}

}  // namespace

// From libc itself: a host may have functions of these names, which do what they like.
void look_safe_functions_up() {
#ifdef __GLIBC__
  void* const libc = ::dlopen("libc.so.6", RTLD_LAZY | RTLD_NOLOAD);
  if (libc == nullptr) return;
  const auto look_up = [&](const auto& names, auto& into) {
    std::transform(names.begin(), names.end(), into.begin(), [&](const char* name) { return address_of(libc, name); });
  };
  look_up(memory_functions, on_memory);
  look_up(waiting_functions, waiting);
  look_up(ending_functions, ending);
  ::dl_iterate_phdr(&find_libc, ::dlsym(libc, "abort"));
  ::dlclose(libc);
#endif
}

bool is_in_libc(std::uintptr_t address) noexcept { return address >= libc_begin && address < libc_end; }
bool waits(std::uintptr_t start) noexcept { return holds(waiting, start); }
bool may_be_left(std::uintptr_t start) noexcept { return holds(on_memory, start) || waits(start); }
bool gives_up(std::uintptr_t start) noexcept { return holds(ending, start); }

}  // namespace autoreload
