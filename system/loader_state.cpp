// SPDX-License-Identifier: MIT
// loader_state: whether this thread is inside the dynamic loader, and what must stay loaded.
#include "system/loader_state.hpp"

#include <dlfcn.h>
#include <link.h>
#include <sys/auxv.h>
#include <unwind.h>

#include <cstddef>
#include <cstdint>

namespace autoreload {

#ifdef __GLIBC__
namespace {

struct range {
  std::uintptr_t begin = 0;
  std::uintptr_t end = 0;
};

// The loader's code. Where the loader was started as a program the kernel doesn't tell its place.
int visit_object(dl_phdr_info* object, std::size_t, void* into) {
  if (object->dlpi_addr == 0 || object->dlpi_addr != getauxval(AT_BASE)) return 0;
  range& code = *static_cast<range*>(into);
  for (int i = 0; i < object->dlpi_phnum; ++i) {
    const ElfW(Phdr)& part = object->dlpi_phdr[i];
    if (part.p_type != PT_LOAD || (part.p_flags & PF_X) == 0) continue;
    code.begin = object->dlpi_addr + part.p_vaddr;
    code.end = code.begin + part.p_memsz;
  }
  return 1;
}

struct walk {
  range loader;
  bool met = false;
};

_Unwind_Reason_Code visit_frame(_Unwind_Context* context, void* argument) {
  auto& on = *static_cast<walk*>(argument);
  const std::uintptr_t at = _Unwind_GetIP(context);
  on.met = at >= on.loader.begin && at < on.loader.end;
  return on.met ? _URC_END_OF_STACK : _URC_NO_REASON;
}

}  // namespace

bool inside_the_loader() noexcept {
  walk here;
  dl_iterate_phdr(&visit_object, &here.loader);
  if (here.loader.begin != 0) _Unwind_Backtrace(&visit_frame, &here);
  return here.met;
}

void keep_resident(const void* code) noexcept {
  Dl_info found{};
  link_map* object = nullptr;
  if (dladdr1(code, &found, reinterpret_cast<void**>(&object), RTLD_DL_LINKMAP) == 0 || object == nullptr) return;
  if (object->l_name == nullptr || *object->l_name == '\0') return;
  (void)dlopen(object->l_name, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE);
}
#else
bool inside_the_loader() noexcept { return false; }
void keep_resident(const void*) noexcept {}  // musl unloads nothing
#endif

}  // namespace autoreload
