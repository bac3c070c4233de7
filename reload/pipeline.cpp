// SPDX-License-Identifier: MIT
// pipeline: the stages, each as a function of the build and of what it may know.
#include "reload/pipeline.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <functional>
#include <string_view>

#include "reload/dependencies/alias.hpp"
#include "reload/host/host_steps.hpp"
#include "reload/load/live_files.hpp"
#include "reload/load/load.hpp"
#include "reload/load/traced.hpp"
#include "reload/load/verify.hpp"
#include "trial/stage.hpp"

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
                                                   &here.reader.patience(), here.watched});
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
  if (here.wanted.api.host != nullptr) next.hosts = here.wanted.api.host->has(next.bytes);
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
  if (wanted.api.host != nullptr) {
    if (answer no = fit_to_host(wanted, made.image, next)) return no;
  }
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
    if (no) {
      advise_on_shortage(*no);
      return no;
    }
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
