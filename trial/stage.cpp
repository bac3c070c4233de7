// SPDX-License-Identifier: MIT
// stage: starts a trial load, waits for it or comes back to it, and takes its outcome for the engine's answer.
#include "trial/stage.hpp"

#include <string>
#include <system_error>
#include <vector>

#include "trial/calls.hpp"
#include "trial/trial.hpp"

namespace autoreload {
namespace {

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

}  // namespace

std::optional<setback> try_in_helper(const context& here, candidate& next) {
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
  // One that has ended by now tells nobody: else it would be looked at, and tried, again.
  if (next.trial->will_tell()) return setback{setback_kind::on_trial};
  trial_outcome came = next.trial->answer();
  next.trial.reset();
  return decide(std::move(came));
}

}  // namespace autoreload
