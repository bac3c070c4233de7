// SPDX-License-Identifier: MIT
// quick: the worker's part that goes before the build tool, by its own commands or by tcc, and lets it follow.
//
// A chain is run only when the tool has built everything since, and one source alone was saved since then: then the
// tool would run these commands and no others. Afterwards the tool runs in any case, so that what it knows is true
// again.
#include <algorithm>
#include <utility>

#include "rebuild/worker.hpp"

namespace autoreload {

using namespace building;

bool rebuilder::worker::wants_chains() const {
  const bool known = tool_->kind == tool_kind::ninja || tool_->kind == tool_kind::cmake_make;
  if (options_.chain == rebuild_chain::automatic) return tool_->kind == tool_kind::cmake_make;
  return known && options_.chain != rebuild_chain::tool;
}

// The chains of the files that were saved last, and of the first few sources: who saves one of them is waited for.
void rebuilder::worker::learn_chains(tool_finder& ask) {
  constexpr std::size_t at_once = 4;
  std::vector<std::string> wanted = building_files_;
  wanted.insert(wanted.end(), watched_.begin(), watched_.end());
  std::size_t asked = 0;
  for (const std::string& file : wanted) {
    if (asked == at_once || ask.interrupted()) return;
    const auto known = chains_.find(file);
    if (known != chains_.end() && (!known->second || holds(known->second->direct))) continue;
    ++asked;
    std::optional<chain> direct = learn_chain(ask, *tool_, file, library_);
    if (ask.interrupted()) return;
    std::optional<learned>& into = chains_[file];
    into.reset();
    if (!direct) continue;
    into.emplace();
    if (options_.chain == rebuild_chain::tcc) into->tcc = with_tcc(*direct, library_);
    into->direct = *std::move(direct);
  }
}

void rebuilder::worker::choose_way() {
  const bool only_follows = !due_;
  unsynced_.insert(due_files_.begin(), due_files_.end());
  way_ = only_follows ? way::follow_up : way::tool;
  const bool may = !only_follows && !due_files_.empty() && synced_ && !std::exchange(tool_only_, false);
  if (!may || unsynced_.size() != 1 || !wants_chains()) return;
  const auto found = chains_.find(*unsynced_.begin());
  if (found == chains_.end() || !found->second || !holds(found->second->direct)) return;
  if (options_.chain == rebuild_chain::tcc) {
    if (found->second->tcc) way_ = way::tcc;
  } else {
    way_ = way::direct;
  }
}

command rebuilder::worker::quick_command() const {
  const learned& one = *chains_.at(*unsynced_.begin());
  return run_of(way_ == way::tcc ? *one.tcc : one.direct, *tool_);
}

// What follows from the end of a build for the next one, and what the event has to say of the way. Returns whether it
// is worth telling.
bool rebuilder::worker::after_the_end(const ending& ended, rebuild_event& event) {
  const bool quick = way_ == way::direct || way_ == way::tcc;
  if (cut_ != cut::none) return way_ != way::follow_up;
  if (quick && !ended.succeeded()) {
    // An error in the source is the same by either way, and told at once. All else is tried by the tool.
    const diagnostic* const first = first_error(event.diagnostics);
    if (way_ == way::direct && first != nullptr && first->line != 0) return true;
    due_files_ = building_files_;
    due_ = tool_only_ = true;
    return false;
  }
  if (!ended.succeeded()) return true;
  if (quick) {
    follow_up_due_ = true;
    by_tcc_ = way_ == way::tcc;
    event.text += by_tcc_ ? ", by tcc: the optimised one follows" : ", without " + tool_->run.words[0];
    return true;
  }
  synced_ = true;
  unsynced_.clear();
  const bool after_tcc = std::exchange(by_tcc_, false);
  if (way_ != way::follow_up) return true;
  if (after_tcc) event.text += ", and took the place of tcc's";
  return after_tcc || event.kind == rebuild_kind::built;
}

}  // namespace autoreload
