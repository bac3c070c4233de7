// SPDX-License-Identifier: MIT
// succession: the copy of the process is made by clone(2) itself, because fork() can't make it a child of the parent.
#include "succession.hpp"

#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <filesystem>
#include <iterator>
#include <memory>

#include <autoreload/handover.hpp>
#include <autoreload/state.hpp>
#ifdef AUTORELOAD_WITH_STATE
#include <autoreload/automatic_state.hpp>
#endif

#include "library_types.hpp"
#include "reload/handover/guest.hpp"
#include "types/wire.hpp"

namespace autoreload::command {

namespace {

std::uintptr_t base_of(void* handle) {
  link_map* map = nullptr;
  return dlinfo(handle, RTLD_DI_LINKMAP, &map) == 0 ? map->l_addr : 0;
}

state_side side_of(const loaded_build& build) {
  return {.path = build.library,
          .generation = build.generation,
          .file = build.file,
          .base = base_of(build.handle),
          .handle = build.handle};
}

// The library's own ones: of a function with the name in another library the address is elsewhere.
guest_functions guest_of(const loaded_build& build) {
  std::vector<load_segment> segments;
  struct search {
    std::uintptr_t base;
    std::vector<load_segment>* into;
  } wanted{base_of(build.handle), &segments};
  dl_iterate_phdr(
      [](dl_phdr_info* info, std::size_t, void* data) {
        const auto& one = *static_cast<search*>(data);
        if (info->dlpi_addr != one.base) return 0;
        for (int i = 0; i < info->dlpi_phnum; ++i) {
          const auto& header = info->dlpi_phdr[i];
          if (header.p_type != PT_LOAD) continue;
          load_segment made{};
          made.address = header.p_vaddr;
          made.memory_size = header.p_memsz;
          made.flags = header.p_flags;
          one.into->push_back(made);
        }
        return 1;
      },
      &wanted);
  return find_guest_functions(build.handle, wanted.base, {{}, segments, 0}, handover_options{}.functions);
}

// One for the process and all that are copied from it: it remembers what it read of the running build.
state_carrier* carrier() {
#ifdef AUTORELOAD_WITH_STATE
  static const std::shared_ptr<state_carrier> one = [] {
    state_options how;
    how.helper = helper_program();
    return automatic_state(std::move(how));
  }();
  return one.get();
#else
  return nullptr;
#endif
}

error refused(const loaded_build& by, const std::string& why) { return error(stage::handover, by.library, why); }

}  // namespace

bool carries_state() noexcept {
#ifdef AUTORELOAD_WITH_STATE
  return true;
#else
  return false;
#endif
}

std::string encode(const succession& order) {
  types::wire_writer out;
  out.text(order.library);
  out.text(order.load_path);
  out.number(order.generation);
  out.number(static_cast<std::uint64_t>(order.requests));
  out.number(static_cast<std::uint64_t>(order.answers));
  out.number(order.locals.size());
  for (const local_name& l : order.locals) {
    out.text(l.name);
    out.number(l.function ? 1 : 0);
    out.number(l.address);
  }
  out.text(types::encode(order.types));
  return out.take();
}

std::optional<succession> decode_succession(std::string_view bytes) {
  types::wire_reader in(bytes);
  succession made;
  made.library = in.text();
  made.load_path = in.text();
  made.generation = in.number();
  made.requests = static_cast<int>(in.number());
  made.answers = static_cast<int>(in.number());
  for (std::uint64_t n = in.count(); n != 0 && in.good(); --n) {
    local_name l;
    l.name = in.text();
    l.function = in.number() != 0;
    l.address = in.number();
    made.locals.push_back(std::move(l));
  }
  std::optional<types::description> types = types::decode(in.text());
  if (!types || !in.good() || !in.at_end()) return std::nullopt;
  made.types = *std::move(types);
  return made;
}

result<loaded_build> load_build(const std::string& load_path, const std::string& library, std::uint64_t generation) {
  loaded_build made{.library = library, .generation = generation};
  made.file = open(load_path.c_str(), O_RDONLY | O_CLOEXEC);
  // The parent may give the number of a descriptor to another build one day; this process keeps its own. A copy that
  // has a name in a directory has it for $ORIGIN.
  const bool has_number = made.file >= 0 && load_path.rfind("/proc/", 0) == 0;
  const std::string name = has_number ? "/proc/self/fd/" + std::to_string(made.file) : load_path;
  if (has_number && dlopen(name.c_str(), RTLD_NOW | RTLD_NOLOAD) != nullptr) {
    return error(stage::load, library, "the loader refused the library").system("this build is loaded already");
  }
  made.handle = dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (made.handle == nullptr) {
    return error(stage::load, library, "the loader refused the library").system(dlerror());
  }
  return made;
}

result<std::string> carry_state(const loaded_build& from, const loaded_build& to) {
  if (carrier() == nullptr) return refused(to, "this program was built without the carrier of variables");
  result<std::unique_ptr<state_plan>> plan = carrier()->prepare(side_of(from), side_of(to));
  if (!plan) return plan.error();
  const guest_functions old = guest_of(from);
  const guest_functions now = guest_of(to);
  const bool by_hand = old.save != nullptr && now.restore != nullptr;
  void* const saved = by_hand ? old.save() : nullptr;
  const result<state_report> report = (*plan)->carry();
  if (!report) return report.error();
  if (by_hand) {
    if (const int code = now.restore(saved); code != 0) {
      return refused(to, "autoreload_restore of the new build returned " + std::to_string(code));
    }
  }
  if (report->variables == 0 && report->remarks.empty()) return std::string();
  return to_string(*report);
}

void tell_loaded(const loaded_build& build) {
  if (const guest_functions own = guest_of(build); own.loaded != nullptr) own.loaded();
}

pid_t copy_this_process() noexcept {
  // The C library has its thread's number at the address that the kernel clears at the thread's end, if it is glibc.
  int* number = nullptr;
  unsigned long flags = CLONE_PARENT | SIGCHLD;
  const bool known =
      prctl(PR_GET_TID_ADDRESS, &number) == 0 && number != nullptr && *number == static_cast<int>(syscall(SYS_gettid));
  if (known) flags |= CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID;
#if defined(__x86_64__)
  return static_cast<pid_t>(syscall(SYS_clone, flags, nullptr, nullptr, known ? number : nullptr, 0));
#else
  return static_cast<pid_t>(syscall(SYS_clone, flags, nullptr, nullptr, 0, known ? number : nullptr));
#endif
}

std::size_t own_threads() {
  std::error_code failed;
  const std::filesystem::directory_iterator tasks("/proc/self/task", failed);
  return failed ? 1 : static_cast<std::size_t>(std::distance(begin(tasks), end(tasks)));
}

}  // namespace autoreload::command
