// SPDX-License-Identifier: MIT
// pipeline: the stages, each as a function of the build and of what it may know.
#include "reload/pipeline.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <exception>
#include <functional>
#include <string_view>
#include <system_error>

#include "elf/dynamic_section.hpp"
#include "reload/dependencies/alias.hpp"
#include "reload/load/live_files.hpp"
#include "reload/load/load.hpp"
#include "reload/load/traced.hpp"
#include "reload/load/verify.hpp"
#include "system/cancellation.hpp"
#include "trial/calls.hpp"
#include "trial/trial.hpp"

namespace autoreload {
namespace {

using answer = std::optional<setback>;  // nothing: on to the next stage

// Bytes that nobody can change any more.
answer read_file(const context& here, candidate& next) {
  const order& wanted = here.wanted;
  next.lease.reset(&here.reader);
  snapshot_outcome taken = here.again != nullptr
                               ? here.reader.take_again(*here.again)
                               : here.reader.take({wanted.file, wanted.chosen.trust,
                                                   wanted.chosen.guard != nullptr || wanted.chosen.state != nullptr,
                                                   &here.reader.patience()});
  if (taken.no) {
    taken.no->why->rename(wanted.path);
    return std::move(taken.no);
  }
  next.bytes = taken.bytes;
  next.image = std::move(taken.image);
  next.source = next.image.source;
  next.unfinished_for = taken.unfinished_for;
  return {};
}

answer compare_with_what_is_known(const context& here, candidate& next) {
  next.needs.state = state_of(here.known.needed);
  if (here.forced) return {};
  const generation* const running = here.past.running();
  next.is_running = running != nullptr && here.reader.same_content(running->image);
  if (next.is_running && next.needs.state == here.known.needed_state) return setback{setback_kind::unchanged};
  if (here.known.refused && here.known.refused->build == digest_of(next)) {
    return setback{setback_kind::refused_before, here.known.refused->why};
  }
  return {};
}

// Is it complete, and fit for the loader.
answer inspect_bytes(const context& here, candidate& next) {
  inspection seen = inspect(next.bytes, this_machine, writing_of(next.unfinished_for));
  if (answer no = setback_of(seen, here.wanted.chosen.require_digest, next.unfinished_for)) {
    no->why->rename(here.wanted.path);
    return no;
  }
  next.facts = std::move(seen.facts);
  next.warnings = std::move(seen.warnings);
  return {};
}

// Is it what had to give way to an older generation.
answer compare_with_what_was_sent_away(const context& here, candidate& next) {
  if (!here.past.refuses_any()) return {};
  const std::uint64_t contents = contents_of(next.bytes, next.facts);
  const error* const why = here.past.refuses(contents, next.needs.state, here.forced);
  if (why == nullptr) return {};
  return setback{setback_kind::refused_before, *why};
}

// Does the host want a new one.
answer wait_for_release(const context& here, candidate&) {
  if (!here.past.is_held() || here.forced) return {};
  return setback{setback_kind::held, error(stage::use, here.wanted.path, "a new build waits: hold() was called")
                                         .advise("release() loads it, and reload() does once")};
}

answer copy_bytes(const context& here, candidate& next) {
  const options& chosen = here.wanted.chosen;
  const loader_name name = name_for(chosen.name, next.facts, next.bytes);
  if (result<void> kept = here.reader.keep(next.image, {name, chosen.trust}); !kept) {
    return setback{setback_kind::shortage, std::move(kept.error().rename(here.wanted.path))};
  }
  next.alias = give_alias(next.image, next.bytes, next.facts);
  if (!next.image.remark.empty()) next.warnings.push_back(next.image.remark);
  return {};
}

// The user's own libraries that it needs come along.
answer copy_dependencies(const context& here, candidate& next) {
  const options& chosen = here.wanted.chosen;
  const generation* const running = here.past.running();
  next.needs = prepare_dependencies(here.wanted.path, next.image, next.bytes, next.facts,
                                    {chosen.trust, chosen.name, chosen.require_digest, &here.reader.patience(),
                                     here.self, here.wanted.api.host != nullptr},
                                    running != nullptr ? running->needs : private_libraries());
  if (next.needs.no) return std::move(next.needs.no);
  if (next.is_running && next.needs.libraries == running->needs) return setback{setback_kind::unchanged};
  next.warnings.insert(next.warnings.end(), next.needs.warnings.begin(), next.needs.warnings.end());
  return {};
}

// Would its callers still fit.
answer ask_guard(const context& here, candidate& next) {
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
    no.why->advise("rebuild the host against the new header, or undo the change");
    return no;
  }
  for (const auto* const list : {&opinion.differences, &opinion.notes}) {
    for (const std::string& text : *list) next.warnings.push_back("ABI: " + text);
  }
  return {};
}

std::vector<std::string> paths_of(const private_libraries& libraries) {
  std::vector<std::string> paths;
  for (const auto& library : libraries) paths.push_back(library->image.load_path);
  return paths;
}

trial_options trial_of(const context& here, const candidate& next) {
  const order& wanted = here.wanted;
  const trial_policy& policy = wanted.chosen.trial;
  trial_options how;
  how.policy = policy;
  how.flags = wanted.chosen.load_flags;
  how.cancel = here.cancel;
  if (next.image.named) how.load_path = next.image.load_path;
  const generation* const running = here.past.running();
  if (policy.beside_running && running != nullptr) {
    how.dependencies = paths_of(running->needs);
    how.dependencies.push_back(running->image.load_path);
  }
  for (const std::string& path : paths_of(next.needs.libraries)) how.dependencies.push_back(path);
  for (const symbol_info& symbol : wanted.api.symbols) how.symbols.emplace_back(symbol.name);
  if (policy.sample == nullptr || !can_repeat_calls()) return how;
  how.calls = policy.sample->calls();
  if (running == nullptr || !running->image.memory.still_ours()) return how;
  how.running.snapshot = running->image.memory.get();
  if (running->image.named) how.running.load_path = running->image.load_path;
  how.running.dependencies = paths_of(running->needs);
  return how;
}

// What its constructors do is done to a helper process first.
answer try_in_helper(const context& here, candidate& next) {
  const auto decide = [&](trial_outcome came) {
    if (!came.remark.empty()) next.warnings.push_back(std::move(came.remark));
    return std::move(came.no);
  };
  const std::string& path = here.wanted.path;
  if (next.trial == nullptr) {
    trial_options how = trial_of(here, next);
    if (here.patient) return decide(trial_load(next.image.memory.get(), path, how));
    try {
      next.trial = std::make_unique<trial_beside>(next.image.memory.get(), path, std::move(how), here.trial_ended);
    } catch (const std::system_error& failure) {
      return setback{
          setback_kind::shortage,
          error(stage::trial, path, "no thread or descriptor for a trial load").system(failure.code().message())};
    }
  }
  if (!next.trial->has_ended()) return setback{setback_kind::on_trial};
  trial_outcome came = next.trial->answer();
  next.trial.reset();
  return decide(std::move(came));
}

// A host that is linked with the library has a say in what of the copy is its own.
answer fit_to_host(const order& wanted, snapshot& image, std::span<const std::byte> bytes) {
  if (wanted.api.host == nullptr) return {};
  if (std::string name = wanted.api.host->has(bytes); !name.empty()) {
    image.load_path = std::move(name);
    return {};
  }
  auto edits = wanted.api.host->edits(bytes);
  if (!edits) return setback{setback_kind::refused_content, std::move(edits.error().rename(wanted.path))};
  for (const detail::copy_edit& one : *edits) {
    if (image.patch(one.offset, one.original, one.text)) continue;
    return setback{setback_kind::shortage, error(stage::load, wanted.path, "the private copy can't be written")};
  }
  return {};
}

// All required symbols or nothing.
answer load_module(const context& here, candidate& next) {
  const order& wanted = here.wanted;
  const loaded_libraries before;
  auto opened = open_dependencies(next.needs.libraries, wanted.path, wanted.chosen.load_flags);
  if (!opened) return setback_of_dlopen(std::move(opened.error()), next.image.memory.get());
  generation& made = next.made.front();
  made.image = std::move(next.image);
  made.needs = std::move(next.needs.libraries);
  made.alias = std::move(next.alias);
  // A debugger reads debug information once, while dlopen maps the library: for its sake it has to be there by then.
  if (!made.image.later.empty() && is_traced()) complete(made.image);
  if (answer no = fit_to_host(wanted, made.image, next.bytes)) return no;
  auto loaded = load(wanted.api, wanted.path, made.image, next.bytes, wanted.chosen.load_flags);
  if (!loaded) return setback_of_dlopen(std::move(loaded.error()), made.image.memory.get());
  made.module = *std::move(loaded);
  for (std::string& warning : live_files(before, made, next.needs.left)) next.warnings.push_back(std::move(warning));
  return {};
}

// It is the new one, and its symbols are its own.
answer verify_module(const context& here, candidate& next) {
  generation& made = next.made.front();
  verification checked = verify(here.wanted.api, here.wanted.path, made.image, next.bytes, next.facts, *made.module);
  if (checked.failure) return setback{setback_kind::refused_content, std::move(checked.failure)};
  next.base = checked.base;
  next.warnings.insert(next.warnings.end(), checked.warnings.begin(), checked.warnings.end());
  made.facts = std::move(next.facts);
  return {};
}

// In this order: each stage relies on what the ones before it have proved.
struct stage_of_the_way {
  answer (*run)(const context&, candidate&);
  timings::duration timings::*time;
  bool (*is_wanted)(const options&) = [](const options&) { return true; };
  bool again = true;  // also for a build that ran before
};
constexpr stage_of_the_way stages[] = {
    {read_file, &timings::snapshot},
    {compare_with_what_is_known, &timings::inspect},
    {inspect_bytes, &timings::inspect},
    {compare_with_what_was_sent_away, &timings::inspect},
    {wait_for_release, &timings::inspect},
    {copy_bytes, &timings::snapshot},
    {copy_dependencies, &timings::snapshot},
    {ask_guard, &timings::guard, [](const options& chosen) { return chosen.guard != nullptr; }, false},
    {try_in_helper, &timings::trial, [](const options& chosen) { return chosen.trial.enabled; }, false},
    {load_module, &timings::load},
    {verify_module, &timings::verify},
};

}  // namespace

setback put_off(candidate& next) {
  next.put_off = true;
  return {setback_kind::put_off};
}

static_assert(std::size(stages) == stage_count);

std::optional<setback> run_stages(const context& here, candidate& next) {
  if (std::exchange(next.put_off, false)) next.lap_began = std::chrono::steady_clock::now();
  for (; next.stage < std::size(stages); ++next.stage) {
    const stage_of_the_way& stage = stages[next.stage];
    if (!stage.is_wanted(here.wanted.chosen) || (here.again != nullptr && !stage.again)) continue;
    answer no;
    if (!here.time.spend(here.usual[next.stage], [&] { no = stage.run(here, next); })) return put_off(next);
    if (no) return no;
    next.lap(stage.time);
  }
  return {};
}

bool candidate::is_at(const std::string& file) const {
  struct stat status {};
  return stat(file.c_str(), &status) == 0 && file_identity::of(status) == source &&
         (!needs.looked_for || state_of(needs.paths) == needs.state);
}

std::uint64_t digest_of(const candidate& next) {
  const std::span<const std::byte> head = next.bytes.first(std::min<std::size_t>(next.bytes.size(), 65536));
  const std::string_view text(reinterpret_cast<const char*>(head.data()), head.size());
  return std::hash<std::string_view>{}(text) ^ static_cast<std::uint64_t>(next.source.modified) ^ next.source.size ^
         next.needs.state;
}

}  // namespace autoreload
