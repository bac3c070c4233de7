// SPDX-License-Identifier: MIT
// quick: the worker's part that goes before the build tool, by its own commands or by a stand-in, and lets it follow.
//
// A chain is run only when the tool has built everything since, and one source alone was saved since then: then the
// tool would run these commands and no others. Afterwards the tool runs in any case, so that what it knows is true
// again.
#include <algorithm>
#include <utility>

#include "rebuild/link_stub.hpp"
#include "rebuild/worker.hpp"

namespace autoreload {

using namespace building;

namespace {

// What the events say of a stand-in.
struct stand_in_words {
  std::string by, follows, owner;
};

stand_in_words words_of(rebuild_chain chain) {
  if (chain == rebuild_chain::tcc) return {"tcc", "the optimised one", "tcc's"};
  return {"the linker alone", "the one that is linked in full", "the linker's"};
}

}  // namespace

bool rebuilder::worker::wants_chains() const {
  const bool known = tool_->kind == tool_kind::ninja || tool_->kind == tool_kind::cmake_make;
  if (options_.chain == rebuild_chain::automatic) return tool_->kind == tool_kind::cmake_make;
  return known && options_.chain != rebuild_chain::tool;
}

// The chains of the files that were saved last, and of the first few sources: who saves one of them is waited for.
void rebuilder::worker::learn_chains(tool_finder& ask) {
  constexpr std::size_t at_once = 4;
  if (options_.chain == rebuild_chain::linker) {
    debug_file built = read_elf_file(library_);
    std::optional<std::vector<link_stub>> now = stubs_for(built);
    if (std::exchange(stubs_, now) != now) {  // it may be bound to more than before
      chains_.clear();
      stub_files_.reset();
    }
  }
  std::vector<std::string> wanted = building_files_;
  wanted.insert(wanted.end(), watched_.begin(), watched_.end());
  std::size_t asked = 0;
  for (const std::string& file : wanted) {
    if (asked == at_once || ask.interrupted()) return;
    const auto known = chains_.find(file);
    if (known != chains_.end() && (!known->second || holds(known->second->direct))) continue;
    ++asked;
    std::optional<chain> direct = learn_chain(ask, *tool_, file, library_);
    std::optional<chain> stand_in;
    if (direct && options_.chain == rebuild_chain::tcc) stand_in = with_tcc(*direct, library_);
    if (direct && options_.chain == rebuild_chain::linker && stubs_) {
      if (!stub_files_) stub_files_ = make_stubs(ask, *stubs_, *direct, library_);
      if (stub_files_) stand_in = with_linker_alone(ask, *tool_, *direct, library_, *stub_files_);
    }
    if (ask.interrupted()) return;
    std::optional<learned>& into = chains_[file];
    into.reset();
    if (direct) into = learned{*std::move(direct), std::move(stand_in)};
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
  if (options_.chain == rebuild_chain::direct || options_.chain == rebuild_chain::automatic) {
    way_ = way::direct;
  } else if (found->second->stand_in) {
    way_ = way::stand_in;
  }
}

command rebuilder::worker::quick_command() const {
  const learned& one = *chains_.at(*unsynced_.begin());
  return run_of(way_ == way::stand_in ? *one.stand_in : one.direct, *tool_);
}

std::string rebuilder::worker::place_in_the_chain() const {
  switch (way_) {
    case way::direct: return ", by its commands";
    case way::stand_in: return ", by " + words_of(options_.chain).by + " first";
    case way::follow_up: return ", after " + words_of(options_.chain).by;
    default: return {};
  }
}

// What follows from the end of a build for the next one, and what the event has to say of the way. Returns whether it
// is worth telling.
bool rebuilder::worker::after_the_end(const ending& ended, rebuild_event& event) {
  const bool quick = way_ == way::direct || way_ == way::stand_in;
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
    const stand_in_words stand_in = words_of(options_.chain);
    stands_in_ = way_ == way::stand_in;
    event.text +=
        stands_in_ ? ", by " + stand_in.by + ": " + stand_in.follows + " follows" : ", without " + tool_->run.words[0];
    return true;
  }
  synced_ = true;
  unsynced_.clear();
  const bool after_stand_in = std::exchange(stands_in_, false);
  if (way_ != way::follow_up) return true;
  const std::string owner = words_of(options_.chain).owner;
  if (after_stand_in && event.kind == rebuild_kind::built) event.text += ", and took the place of " + owner;
  if (after_stand_in && event.kind == rebuild_kind::no_effect)
    event.text = "the tool's library is the same as " + owner;
  return after_stand_in || event.kind == rebuild_kind::built;
}

}  // namespace autoreload
