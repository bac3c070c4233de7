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

result<fresh_library> fresh_library::watch(const std::string& path) {
  fresh_library made;
  made.path_ = path;
  result<std::shared_ptr<watch_hub>> hub = watch_hub::make();
  if (!hub) return hub.error();
  made.hub_ = *std::move(hub);
  made.watch_ = std::make_unique<autoreload::watch>(made.hub_);
  made.reader_ = std::make_unique<snapshotter>();
  made.patience_ = std::make_unique<writer_patience>();
  const result<bool> armed = made.watch_->arm({path});
  if (!armed) return armed.error();
  return made;
}

look fresh_library::look_again(bool anyway) {
  hub_->drain();
  const bool changed = watch_->take_changed();
  if (watch_->take_moved()) static_cast<void>(watch_->arm({path_}));
  if (!changed && !anyway) return {};

  const trust_policy trust;
  snapshot_outcome taken = reader_->take({path_, trust, true, patience_.get()});
  if (taken.no) return no_look(*std::move(taken.no));
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
