// SPDX-License-Identifier: MIT
// quiet_calls: closes, looks until nobody is inside, and opens again.
#include "exec/quiet_calls.hpp"

#include <link.h>

#include <algorithm>
#include <thread>
#include <utility>

#include "crash/source_place.hpp"
#include "exec/unloading.hpp"
#include "reload/load/bindings.hpp"
#include "system/mapped_file.hpp"
#include "system/thread_files.hpp"

namespace autoreload::exec {
namespace {

using clock = std::chrono::steady_clock;

// By the loader's list: its lock is not held by a thread that waits at the gate inside a constructor, as dlsym's may
// be.
std::string function_at(std::uintptr_t address) {
  const std::optional<loaded_object> object = object_at(reinterpret_cast<const void*>(address));
  const mapped_file file(object ? object->name.c_str() : "");
  return std::string(find_function(file.bytes(), object ? address - object->base : 0).name);
}

std::string in_words(const insider& who) {
  if (!who.unseen.empty()) return (who.thread != 0 ? words_of_thread(who.thread) + ": " : "") + who.unseen;
  const std::string function = who.at != 0 ? function_at(who.at) : std::string();
  return words_of_thread(who.thread) + " is still inside" + (function.empty() ? "" : ", in " + function + "()");
}

}  // namespace

quiet_calls::quiet_calls(entered_code code, gate& before, std::mutex& handing_over, std::function<void()> open)
    : turn_(turn_to_look()),
      code_(std::move(code)),
      handing_over_(handing_over, std::defer_lock),
      open_(std::move(open)) {
  before.close();
}

quiet_calls::~quiet_calls() { open_(); }

std::optional<std::string> quiet_calls::wait(std::chrono::milliseconds limit) {
  const clock::time_point until = clock::now() + limit;
  for (std::chrono::microseconds rest{50};; rest = std::min(rest * 2, std::chrono::microseconds(5000))) {
    const std::optional<insider> who = who_is_inside(code_);
    if (!who) {
      handing_over_.lock();
      return std::nullopt;
    }
    if (clock::now() > until) return in_words(*who);
    std::this_thread::sleep_for(rest);
  }
}

holding::unseen_list<memory_range> code_at(const std::vector<std::uintptr_t>& bases, memory_range but) {
  struct search {
    const std::vector<std::uintptr_t>& bases;
    memory_range but;
    holding::unseen_list<memory_range> found{};
  } all{bases, but};
  dl_iterate_phdr(
      [](dl_phdr_info* one, std::size_t, void* argument) {
        search& here = *static_cast<search*>(argument);
        if (std::find(here.bases.begin(), here.bases.end(), one->dlpi_addr) == here.bases.end()) return 0;
        for (int i = 0; i < one->dlpi_phnum; ++i) {
          const ElfW(Phdr)& part = one->dlpi_phdr[i];
          if (part.p_type != PT_LOAD || (part.p_flags & PF_X) == 0) continue;
          const std::uintptr_t begin = one->dlpi_addr + part.p_vaddr;
          if (begin != here.but.begin) here.found.push_back({begin, begin + part.p_memsz});
        }
        return 0;
      },
      &all);
  return std::move(all.found);
}

}  // namespace autoreload::exec
