// SPDX-License-Identifier: MIT
// left_behind: what a generation leaves in the process that would run or read its memory after it is unloaded.
//
// SHARED  the list of code that must stay, in the registry of all copies: grows at its head by compare-exchange, never
//         shrinks. A caller adds to it while its pin still holds the generation; the retire stage reads it after it has
//         found the pin gone (acquire). The names of held libraries: guarded by a mutex.
#include "reload/stays/stays.hpp"

#include <cxxabi.h>
#include <dlfcn.h>
#include <link.h>
#include <pthread.h>

#include <array>
#include <autoreload/pin.hpp>
#include <autoreload/symbol.hpp>
#include <exception>
#include <mutex>
#include <new>
#include <set>
#include <string_view>
#include <system_error>
#include <typeinfo>

#include "reload/retire/shared_registry.hpp"
#include "reload/snapshot/copy_place.hpp"

namespace autoreload {
namespace {

// The loaded object that has an address. Not dladdr: that waits for constructors that run on other threads.
struct owner {
  const void* address;
  std::string_view name{};  // of the loader's: lives as long as the object
  bool found = false;
};

owner owner_of(const void* address) noexcept {
  owner wanted{address};
  const auto visit = [](dl_phdr_info* object, std::size_t, void* into) -> int {
    auto& here = *static_cast<owner*>(into);
    const auto at = reinterpret_cast<std::uintptr_t>(here.address) - object->dlpi_addr;
    for (int i = 0; i < object->dlpi_phnum; ++i) {
      const ElfW(Phdr)& part = object->dlpi_phdr[i];
      if (part.p_type != PT_LOAD || at < part.p_vaddr || at >= part.p_vaddr + part.p_memsz) continue;
      here.name = object->dlpi_name;
      here.found = true;
      return 1;
    }
    return 0;
  };
  dl_iterate_phdr(visit, &wanted);
  return wanted;
}

// In memory, in a file, or beside the library: see reload/snapshot/.
bool is_private_copy(std::string_view name) {
  const std::string_view file = name.substr(name.rfind('/') + 1);
  return (name.starts_with("/proc/") && name.find("/fd/") != std::string_view::npos) ||
         file.starts_with("autoreload-") || file.starts_with(beside_prefix);
}

// Whether the exception that is being handled has its type, or what a standard one points to, in the library.
bool belongs_to(const owner& library) {
  const auto is_there = [&](const void* address) {
    const owner its = owner_of(address);
    return its.found && (its.name == library.name || is_private_copy(its.name));
  };
  const std::type_info* const type = abi::__cxa_current_exception_type();
  if (type == nullptr || is_there(type)) return true;
  try {
    throw;
  } catch (const std::system_error& one) {
    return is_there(&one.code().category());
  } catch (const void* pointer) {  // string literals, too
    return is_there(pointer);
  } catch (...) {
    return false;
  }
}

constexpr std::array<std::string_view, 4> systems_directories{"/lib/", "/usr/lib/", "/lib64/", "/usr/lib64/"};

class needs_keeper {
 public:
  void hold_needs_of(const link_map& object) {
    const char* strings = nullptr;
    for (const ElfW(Dyn)* entry = object.l_ld; entry->d_tag != DT_NULL; ++entry) {
      if (entry->d_tag != DT_STRTAB) continue;
      const bool moved = entry->d_un.d_ptr >= object.l_addr;  // glibc has added the base already
      strings = reinterpret_cast<const char*>(entry->d_un.d_ptr + (moved ? 0 : object.l_addr));
    }
    for (const ElfW(Dyn)* entry = object.l_ld; strings != nullptr && entry->d_tag != DT_NULL; ++entry) {
      if (entry->d_tag == DT_NEEDED) hold(strings + entry->d_un.d_val);
    }
  }

 private:
  void hold(const char* name) {
    if (held_.contains(name)) return;
    void* const handle = dlopen(name, RTLD_LAZY | RTLD_NOLOAD);
    if (handle == nullptr) return;
    link_map* object = nullptr;
    if (dlinfo(handle, RTLD_DI_LINKMAP, &object) == 0) {
      const std::string_view path = object->l_name;
      for (const std::string_view directory : systems_directories) {
        if (!path.starts_with(directory)) continue;
        held_.emplace(name);
        if (void* const kept = dlopen(object->l_name, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE)) dlclose(kept);
      }
      hold_needs_of(*object);
    }
    dlclose(handle);
  }

  std::set<std::string, std::less<>> held_;
};

}  // namespace

namespace detail {

// In a handler: the pin still holds the library.
void note_exception_from(const void* function) noexcept {
  if (std::current_exception() == nullptr) return;  // a cancellation, or another language's
  const owner library = owner_of(function);
  if (!library.found || !belongs_to(library)) return;
  pin_registry* const registry = known_registry();
  if (registry == nullptr) return;
  kept_code* head = registry->kept.load(std::memory_order_acquire);
  for (const kept_code* one = head; one != nullptr; one = one->next) {
    if (one->address == function) return;
  }
  auto* const made = new (std::nothrow) kept_code{function, head};
  if (made == nullptr) return;
  while (!registry->kept.compare_exchange_weak(made->next, made)) {
  }
}

}  // namespace detail

std::string why_kept(const generation& one) {
  if (!one.needed_by.empty()) return one.needed_by;
  const pin_registry* const registry = known_registry();
  if (registry == nullptr) return {};
  for (const kept_code* code = registry->kept.load(); code != nullptr; code = code->next) {
    if (owner_of(code->address).name != one.image.load_path) continue;
    return "it threw an exception that is its own (its class, or what it points to), which a handler may hold still: "
           "it "
           "stays for good; let no exception of the library's own classes out of it";
  }
  return {};
}

void hold_system_libraries(const generation& one) {
  struct kept_needs {
    std::mutex mutex;
    needs_keeper all;
  };
  static auto* kept = new kept_needs;
  // Whoever has the mutex may be waiting for the loader's lock, which whoever forks may have: so fork doesn't wait for
  // it. A child in which nobody gives it back begins anew, and holds what it needs once more.
  [[maybe_unused]] static const int registered = pthread_atfork(nullptr, nullptr, [] {
    if (!kept->mutex.try_lock()) {
      kept = new kept_needs;
    } else {
      kept->mutex.unlock();
    }
  });
  link_map* object = nullptr;
  if (dlinfo(one.module->handle(), RTLD_DI_LINKMAP, &object) != 0) return;
  const std::lock_guard lock(kept->mutex);
  kept->all.hold_needs_of(*object);
}

}  // namespace autoreload
