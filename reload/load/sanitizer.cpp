// SPDX-License-Identifier: MIT
// sanitizer: asks the loader whether the runtime that a library needs is there already.
#include "reload/load/sanitizer.hpp"

#include <dlfcn.h>

#include <algorithm>
#include <string>
#include <string_view>

namespace autoreload {
namespace {

struct runtime {
  std::string_view flag;     // -fsanitize=
  std::string_view library;  // gcc's
  std::string_view clangs;   // of -shared-libsan
  const char* symbol;        // that it exports, also where it is linked into the program
};
constexpr runtime runtimes[] = {
    {"address", "libasan.so", "libclang_rt.asan", "__asan_init"},
    {"thread", "libtsan.so", "libclang_rt.tsan", "__tsan_init"},
    {"memory", "libmsan.so", "libclang_rt.msan", "__msan_init"},
    {"leak", "liblsan.so", "libclang_rt.lsan", "__lsan_do_leak_check"},
    {"hwaddress", "libhwasan.so", "libclang_rt.hwasan", "__hwasan_init"},
};

bool is_loaded(const std::string& library) {
  void* const handle = dlopen(library.c_str(), RTLD_NOLOAD | RTLD_LAZY);
  if (handle != nullptr) dlclose(handle);
  return handle != nullptr;
}

}  // namespace

std::optional<error> lacks_sanitizer(const elf_facts& facts) {
  const auto* const wanted = std::find_if(std::begin(runtimes), std::end(runtimes),
                                          [&](const runtime& one) { return one.flag == facts.sanitizer; });
  if (wanted == std::end(runtimes)) return std::nullopt;
  const auto named = std::find_if(facts.needed.begin(), facts.needed.end(), [&](const std::string& name) {
    return name.starts_with(wanted->library) || name.starts_with(wanted->clangs);
  });
  // Two runtimes of one sanitizer, one in the program and one that the library brings, don't go together.
  const bool brings = named != facts.needed.end();
  if (brings ? is_loaded(*named) : dlsym(RTLD_DEFAULT, wanted->symbol) != nullptr) return std::nullopt;
  const std::string flag = "-fsanitize=" + facts.sanitizer;
  error answer(stage::inspect, {},
               "it is built with " + flag + ", whose runtime must be in the program from its start, and is not");
  answer.advise("build it without " + flag + ", or the program with it, by the same compiler" +
                (brings ? "; or start the program with LD_PRELOAD=" + *named : std::string()));
  return answer;
}

}  // namespace autoreload
