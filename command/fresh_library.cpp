// SPDX-License-Identifier: MIT
// fresh_library: the start of the engine's pipeline, without what needs a host.
#include "fresh_library.hpp"

#include "reload/inspect/inspect.hpp"
#include "reload/setback.hpp"

namespace autoreload::command {

namespace {

look no_look(setback no) {
  look made;
  if (no.again_in) made.again_in = std::chrono::ceil<std::chrono::milliseconds>(*no.again_in);
  switch (no.kind) {
    case setback_kind::busy: made.again_in = std::chrono::milliseconds(20); return made;
    case setback_kind::shortage: made.again_in = std::chrono::milliseconds(500); [[fallthrough]];
    case setback_kind::unfinished: made.is = look::end::waiting; break;
    case setback_kind::refused_elsewhere:
    case setback_kind::refused_content: made.is = look::end::refused; break;
    default: return made;
  }
  made.why = std::move(no.why);
  return made;
}

}  // namespace

fresh_library::fresh_library(const std::string& path)
    : path_(path),
      source_(make_change_source({.file = path,
                                  .interval = std::chrono::milliseconds(250),
                                  .hub = [] { return watch_hub::make(); },
                                  .warn = [notes = notes_](const std::string& text) { notes->push_back(text); }})),
      reader_(std::make_unique<snapshotter>()),
      patience_(std::make_unique<writer_patience>()) {
  (void)source_->arm({});
}

look fresh_library::look_again(bool anyway) {
  (void)source_->drain(false);
  const bool changed = source_->take(std::chrono::steady_clock::now(), known_);
  look seen;
  if (changed || anyway) {
    seen = look_at_file();
    const result<bool> armed = source_->arm({});
    if (armed && *armed) seen.again_in = std::chrono::milliseconds(0);  // another way leads to it now
  }
  seen.notes = std::exchange(*notes_, {});
  return seen;
}

// What polling compares with: the file that a verdict was about, if any later change would show.
look fresh_library::look_at_file() {
  known_.looked_at.reset();
  known_.awaited.reset();
  const trust_policy trust;
  snapshot_outcome taken = reader_->take({path_, trust, true, patience_.get()});
  if (taken.no) {
    if (taken.no->kind == setback_kind::unfinished && taken.no->why) {
      known_.awaited = {*taken.no->why, std::chrono::steady_clock::now()};
    }
    return no_look(*std::move(taken.no));
  }
  look seen = look_at_copy(taken);
  if (seen.is != look::end::waiting && taken.image.source.settled()) known_.looked_at = taken.image.source;
  return seen;
}

look fresh_library::look_at_copy(snapshot_outcome& taken) {
  const trust_policy trust;
  if (last_ && reader_->same_content(*last_)) return {.is = look::end::unchanged};
  inspection seen = inspect(taken.bytes, this_machine, writing_of(taken.unfinished_for));
  if (std::optional<setback> no = setback_of(seen, false, taken.unfinished_for)) return no_look(*std::move(no));
  const loader_name name = name_for(loader_name::automatic, seen.facts, taken.bytes);
  if (result<void> kept = reader_->keep(taken.image, {name, trust}); !kept) {
    return no_look({setback_kind::shortage, kept.error()});
  }
  last_ = std::make_shared<const snapshot>(std::move(taken.image));
  return {.is = look::end::fresh, .image = last_, .warnings = std::move(seen.warnings)};
}

}  // namespace autoreload::command
