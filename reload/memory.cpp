// SPDX-License-Identifier: MIT
// memory: the verdict on a build, as a function.
#include "reload/memory.hpp"

#include <algorithm>
#include <string_view>

namespace autoreload {
namespace {

using namespace std::chrono_literals;

constexpr std::chrono::milliseconds lasting{500};  // a linker at work is done by then, mostly
constexpr std::chrono::seconds until_it_is_back{1};
constexpr std::chrono::milliseconds first_pause{10};
constexpr std::chrono::milliseconds longest_pause{250};
constexpr std::chrono::milliseconds first_handover_pause{250};  // each try may hold callers up for its whole limit
constexpr std::chrono::milliseconds longest_handover_pause{10'000};

bool same_words(const std::optional<error>& one, const error& other) {
  return one && std::string_view(one->what()) == other.what();
}

void stop_waiting(memory& next) {
  next.awaited.reset();
  next.said.clear();
}

// The kernel tells when a writer closes the file. One that never does is waited for in growing steps; see
// writer_patience for how long.
void look_soon(const memory& known, memory& next, const file_identity& writing, time_point now) {
  if (known.busy_with != writing) next.busy_pause = first_pause;
  next.busy_with = writing;
  next.look_at = std::min(next.look_at, now + next.busy_pause);
  next.busy_pause = std::min(next.busy_pause * 2, longest_pause);
}

// A linker at work goes through states in which there is nothing to load: only one that lasts is worth a word.
void wait(memory& next, const attempt& result, time_point now, std::vector<event>& events) {
  const error& why = *result.no->why;
  const bool goes_on = next.awaited && same_words(next.awaited->why, why);
  next.awaited = memory::wait{why, goes_on ? next.awaited->since : now};
  next.failure = why;
  if (next.said == why.what()) return;
  const time_point worth_a_word = next.awaited->since + lasting;
  if (!next.opening && now < worth_a_word) {
    next.look_at = worth_a_word;
    return;
  }
  next.said = why.what();
  next.trouble = true;
  events.push_back({event_kind::waiting, result.generation, {}, why.reason(), why, {}});
}

void refuse(memory& next, const attempt& result, std::vector<event>& events) {
  const error& why = *result.no->why;
  stop_waiting(next);
  const bool told = result.no->kind != setback_kind::refused_content && same_words(next.failure, why);
  next.failure = why;
  if (told) return;
  next.trouble = true;
  events.push_back({event_kind::refused, result.generation, {}, why.reason(), why, {}, ++next.attempts});
}

// The build is loaded; who is inside the old one keeps it waiting.
void hold_up(const memory& known, memory& next, const attempt& result, time_point now, std::vector<event>& events) {
  const error& why = *result.no->why;
  next.awaited.reset();
  next.failure = why;
  next.handover_pause = std::clamp(known.handover_pause * 2, first_handover_pause, longest_handover_pause);
  next.look_at = now + next.handover_pause;
  if (next.said == why.what()) return;
  next.said = why.what();
  next.trouble = true;
  events.push_back({event_kind::waiting, result.generation, {}, why.reason(), why, {}});
}

// What is there is what runs.
void agree(memory& next, const attempt& result, std::vector<event>& events) {
  if (!result.no) {
    events.push_back(
        {event_kind::loaded, result.generation, {}, "", std::nullopt, result.times, ++next.attempts, result.state});
    for (const std::string& text : result.warnings) {
      events.push_back({event_kind::warning, result.generation, {}, text, std::nullopt, {}});
    }
  } else if (next.trouble) {
    events.push_back({event_kind::current, result.generation, {}, "what is there is what runs", std::nullopt, {}});
  }
  next.trouble = false;
  stop_waiting(next);
  next.refused.reset();
  next.failure.reset();
  next.needed_state = result.needs_state;
  next.looked_at = result.settled;
}

}  // namespace

conclusion conclude(const memory& known, const attempt& result, time_point now) {
  conclusion after{known, {}};
  memory& next = after.next;
  next.looked_at.reset();
  next.busy_with.reset();
  next.handover_pause = {};
  next.look_at = never;
  if (result.needs) next.needed = *result.needs;
  if (!result.no) {
    agree(next, result, after.events);
    return after;
  }
  switch (result.no->kind) {
    case setback_kind::unchanged: agree(next, result, after.events); break;
    case setback_kind::withdrawn:
    case setback_kind::put_off: break;
    case setback_kind::held_up: hold_up(known, next, result, now, after.events); break;
    case setback_kind::on_trial:
    case setback_kind::busy: next.awaited.reset(); break;
    case setback_kind::unfinished: wait(next, result, now, after.events); break;
    case setback_kind::shortage: next.look_at = now + until_it_is_back; [[fallthrough]];
    case setback_kind::refused_elsewhere:
      next.refused.reset();
      refuse(next, result, after.events);
      break;
    case setback_kind::refused_content:
      next.refused = memory::refusal{result.build, *result.no->why};
      next.looked_at = result.settled;
      refuse(next, result, after.events);
      break;
    case setback_kind::held: {
      const error& why = *result.no->why;
      stop_waiting(next);
      next.refused = memory::refusal{result.build, why};
      next.failure = why;
      next.looked_at = result.settled;
      next.trouble = true;
      after.events.push_back({event_kind::held, result.generation, {}, why.reason(), why, {}});
      break;
    }
    case setback_kind::refused_before:
      stop_waiting(next);
      next.failure = result.no->why;
      next.looked_at = result.settled;
      break;
  }
  if (result.no->again_in) next.look_at = std::min(next.look_at, now + *result.no->again_in);
  if (result.no->writing) look_soon(known, next, *result.no->writing, now);
  return after;
}

}  // namespace autoreload
