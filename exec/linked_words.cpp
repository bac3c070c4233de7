// SPDX-License-Identifier: MIT
// linked_words: what is told of a library: to its observer, or to the journal.
#include "exec/linked_library.hpp"

#include <dlfcn.h>
#include <link.h>

#include <algorithm>
#include <utility>

#include "exec/journal.hpp"
#if defined(AUTORELOAD_WITH_HOLDERS)
#include "exec/heap_pointers.hpp"
#endif

namespace autoreload::exec {

namespace {

std::string listed(const std::vector<std::string>& names) {
  std::string text;
  for (std::size_t i = 0; i < std::min<std::size_t>(names.size(), 5); ++i) text += (i == 0 ? "" : ", ") + names[i];
  if (names.size() > 5) text += " and " + std::to_string(names.size() - 5) + " more";
  return text;
}

}  // namespace

void linked_library::observe(const event& happened) {
  const bool moved = happened.kind == event_kind::loaded || happened.kind == event_kind::activated;
  if (moved) take_over();
  count(happened);
  if (observer_) return tell(happened);
  if (moved && happened.generation == 1 && newest_ != nullptr && newest_->base == 0) {
    return;  // what the program started with
  }
  std::string words = to_string(happened);
  if (moved && kept_.size() > 1) {
    words += "\n  " + std::to_string(kept_.size()) + " newer builds than the first are loaded, " +
             std::to_string(kept_bytes() / 1024) + " KiB";
  }
  if (moved && std::exchange(tells_what_is_lost_, false)) say_what_is_lost();
  if (moved && !boundary_.empty() && !carries_) words += "\n  it is taken over by the next call of " + boundary_ + "()";
  say(words);
}

void linked_library::tell(const event& happened) {
  observer_(happened);
  if (happened.kind != event_kind::loaded) return;
  for (std::string& text : std::exchange(remarks_, {})) {
    observer_({.kind = event_kind::warning,
               .generation = happened.generation,
               .path = happened.path,
               .text = std::move(text),
               .failure = {},
               .times = {}});
  }
}

void linked_library::remark(const std::string& text) {
  if (observer_) {
    remarks_.push_back(text);
  } else {
    say(std::string("\"") + where_.header->path + "\": " + text);
  }
}

void linked_library::count(const event& happened) {
  if (happened.kind == event_kind::loaded && newest_ != nullptr && newest_->base != 0) {
    kept_[happened.generation] = newest_->bytes;
  }
  if (happened.kind == event_kind::unloaded) kept_.erase(happened.generation);
}

std::uint64_t linked_library::kept_bytes() const {
  std::uint64_t sum = 0;
  for (const auto& [generation, bytes] : kept_) sum += bytes;
  return sum;
}

void linked_library::say_what_changed(const std::vector<std::string>& gone, const build& made) {
  remarks_.clear();
  if (!gone.empty()) remark("it lacks " + listed(gone) + " now: a call of what is gone ends the program");
  if (!planned_->own_constants.empty()) {
    remark("the constants " + listed(planned_->own_constants) +
           " changed: the library has the new ones, and the program sees those that it started with");
  }
  if (std::exchange(told_stays_, made.stays) == made.stays || made.stays.empty()) return;
  remark("it is not unloaded when a newer build comes: " + made.stays);
}

// What the first build has allocated by now.
void linked_library::say_what_is_lost() {
#if defined(AUTORELOAD_WITH_HOLDERS)
  link_map* own = nullptr;
  if (dlinfo(where_.handle, RTLD_DI_LINKMAP, &own) != 0) return;
  const shared_variables known = shared();
  const std::size_t count =
      count_heap_pointers(own->l_addr, reinterpret_cast<std::uintptr_t>(where_.header), known.places);
  if (count == 0) return;
  say("\"" + std::string(where_.header->path) + "\" has " + std::to_string(count) +
      (count == 1 ? " pointer" : " pointers") +
      " to allocated memory in variables of its own, of which the new build knows nothing: start the program with "
      "--state to carry them over");
#endif
}

}  // namespace autoreload::exec
