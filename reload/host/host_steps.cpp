// SPDX-License-Identifier: MIT
// host_steps: asks what the host has given us, and takes its answers for the stage's.
#include "reload/host/host_steps.hpp"

#include <exception>
#include <string>
#include <utility>

#include "system/cancellation.hpp"

namespace autoreload {

std::optional<setback> ask_guard(const context& here, candidate& next) {
  if (!next.hosts.empty()) return {};  // for this one its callers were compiled
  const order& wanted = here.wanted;
  const auto refuse = [&](const std::string& reason) {
    return setback{setback_kind::refused_content, error(stage::guard, wanted.path, reason)};
  };
  guard_verdict opinion;
  try {
    const generation* const running = here.past.running();
    const bool known = running != nullptr && running->image.memory.still_ours();
    opinion =
        wanted.chosen.guard->check({wanted.path, next.image.memory.get(), known ? running->image.memory.get() : -1,
                                    wanted.api.symbols, wanted.api.api_type, here.carries_state});
  } catch (const std::exception& thrown) {
    setback no = refuse("the ABI checker threw an exception");
    no.why->system(thrown.what());
    return no;
  } catch (const cancellation&) {
    throw;
  } catch (...) {
    return refuse("the ABI checker threw something that is no std::exception");
  }
  std::string remarks;
  for (const std::string& difference : opinion.differences) remarks += "\n  " + difference;
  if (opinion.refuse) {
    setback no = refuse("its ABI does not fit the host:" + remarks);
    if (opinion.advice.empty()) opinion.advice = "rebuild the host against the new header, or undo the change";
    no.why->advise(std::move(opinion.advice));
    return no;
  }
  for (const auto* const list : {&opinion.differences, &opinion.notes}) {
    for (const std::string& text : *list) next.warnings.push_back("ABI: " + text);
  }
  return {};
}

std::optional<setback> fit_to_host(const order& wanted, snapshot& image, const candidate& next) {
  if (!next.hosts.empty()) {
    image.load_path = next.hosts;
    return {};
  }
  auto edits = wanted.api.host->edits(next.bytes);
  if (!edits) return setback{setback_kind::refused_content, std::move(edits.error().rename(wanted.path))};
  for (const detail::copy_edit& one : *edits) {
    if (image.patch(one.offset, one.original, one.text)) continue;
    return setback{setback_kind::shortage, error(stage::load, wanted.path, "the private copy can't be written")};
  }
  return {};
}

}  // namespace autoreload
