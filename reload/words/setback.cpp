// SPDX-License-Identifier: MIT
// setback: translates the words of others.
#include "reload/setback.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <initializer_list>
#include <string_view>
#include <system_error>

#include "digest/digest.hpp"
#include "reload/load/sanitizer.hpp"

namespace autoreload {
namespace {

// Whether the system lets the process map a page of this file as code: 0, or errno.
int refusal_to_map(int image) {
  constexpr std::size_t page = 4096;
  void* const mapped = mmap(nullptr, page, PROT_READ | PROT_EXEC, MAP_PRIVATE, image, 0);
  if (mapped == MAP_FAILED) return errno;
  munmap(mapped, page);
  return 0;
}

}  // namespace

std::optional<setback> setback_of(const inspection& seen, bool needs_digest, std::chrono::nanoseconds unfinished_for) {
  const auto no = [&](setback_kind kind, std::string reason, std::string advice) {
    return setback{kind, error(stage::inspect, {}, std::move(reason)).advise(std::move(advice))};
  };
  switch (seen.is) {
    case verdict::incomplete: {
      setback unfinished = no(setback_kind::unfinished, seen.reason, seen.advice);
      if (seen.may_be_meant) unfinished.again_in = unfinished_for;
      return unfinished;
    }
    case verdict::wrong: return no(setback_kind::refused_content, seen.reason, seen.advice);
    case verdict::sound: break;
  }
  if (auto missing = lacks_sanitizer(seen.facts)) return setback{setback_kind::refused_content, std::move(missing)};
  if (!needs_digest || seen.facts.has_digest) return {};
  return no(setback_kind::unfinished, std::string(no_digest), std::string(make_digest));
}

setback setback_of_dlopen(error failure, int image) {
  const auto says = [&](std::initializer_list<std::string_view> words) {
    return std::any_of(words.begin(), words.end(),
                       [&](std::string_view one) { return failure.system().find(one) != std::string::npos; });
  };
  const auto says_errno = [&](std::initializer_list<int> numbers) {
    return std::any_of(numbers.begin(), numbers.end(),
                       [&](int one) { return says({std::generic_category().message(one)}); });
  };
  // Of room for thread-local data it says "cannot allocate memory in static TLS block": that never comes back.
  if (says_errno({EMFILE, ENFILE, ENOMEM})) return {setback_kind::shortage, std::move(failure)};
  // glibc says that a mapping failed, and not why; so it is tried.
  const bool mapping = says({"failed to map segment", "cannot change memory protections"});
  const int refused = mapping ? refusal_to_map(image) : 0;
  if (refused == EPERM || refused == EACCES || (!mapping && says_errno({EPERM, EACCES}))) {
    failure.advise(
        "the system does not let this process map the library as code: look for SELinux's or AppArmor's audit log, a "
        "seccomp filter, or memory-deny-write-execute");
    if (refused != 0) failure.system(failure.system() + ": " + std::generic_category().message(refused));
    return {setback_kind::refused_elsewhere, std::move(failure)};
  }
  if (mapping || says({"cannot create shared object descriptor"})) {
    failure.advise(
        "the process is out of memory, of address space (ulimit -v) or of mappings (sysctl vm.max_map_count: each "
        "generation that is loaded or quarantined takes about five); it is tried again");
    return {setback_kind::shortage, std::move(failure)};
  }
  return {setback_kind::refused_content, std::move(failure)};
}

void advise_on_shortage(setback& no) {
  if (no.kind != setback_kind::shortage || !no.why) return;
  if (no.why->system().find(std::generic_category().message(EMFILE)) == std::string::npos) return;
  no.why->advise(
      "raise the limit of descriptors (ulimit -n): each generation that is loaded, stored or quarantined has one; it "
      "is "
      "tried again");
}

}  // namespace autoreload
