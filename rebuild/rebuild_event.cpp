// SPDX-License-Identifier: MIT
// rebuild_event: what happened, as one line.
#include <autoreload/rebuild.hpp>

namespace autoreload {

std::string_view to_string(rebuild_kind kind) noexcept {
  switch (kind) {
    case rebuild_kind::ready: return "ready";
    case rebuild_kind::building: return "building";
    case rebuild_kind::overtaken: return "overtaken";
    case rebuild_kind::built: return "built";
    case rebuild_kind::no_effect: return "no effect";
    case rebuild_kind::build_failed: return "build failed";
    case rebuild_kind::failed: return "failed";
  }
  return "unknown";
}

std::string to_string(const rebuild_event& happened) {
  std::string line(to_string(happened.kind));
  if (happened.kind == rebuild_kind::failed && happened.failure) {
    line += ": " + std::string(happened.failure->what());
  } else if (!happened.text.empty()) {
    line += ": " + happened.text;
  }
  for (char& c : line) {
    if (c == '\n') c = ' ';
  }
  return line;
}

}  // namespace autoreload
