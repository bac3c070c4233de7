// SPDX-License-Identifier: MIT
// reload_latency: from the moment that a new build is complete to the first call that returns its value.
//
// ROWS    reload/floor and reload/total, to be compared; reload/total/<backend>/<mode>; reload/handover;
//         reload/activate/<what is kept>; state/<what is remembered>, with /waited: how long a caller did;
//         floor/<part>, load/<backend>; feel/<linker>; frame/late/<how>, the longest poll() of a frame loop. The time
//         starts right before the writer's rename(2) or close(2) and ends after the call. Counters hold percentiles of
//         all samples, and medians of the engine's stages.
// NOISE   the rows of one group are measured in shuffled rounds, one sample each: reload/floor and reload/total share
//         every minute of the machine. --rounds=N says how many (1000; a fifth of it for polling, a fiftieth for
//         feel/). --placed=2 leaves it to the scheduler which thread runs on which processor: see placement.hpp.
#include <algorithm>
#include <memory>
#include <string>

#include "harness/harness.hpp"
#include "latency/activate_series.hpp"
#include "latency/engine_series.hpp"
#include "latency/feel.hpp"
#include "latency/frame_series.hpp"
#include "latency/handover_series.hpp"
#include "latency/minimal_loop.hpp"
#include "latency/parts.hpp"
#include "latency/series.hpp"
#ifdef BENCH_WITH_STATE
#include "latency/state_series.hpp"
#endif

namespace bench {
namespace {

using autoreload::drive_mode;
using autoreload::watch_mode;

template <class Backend, watch_mode Watch, drive_mode Drive, arrival How = arrival::renamed>
std::unique_ptr<series> by_engine() {
  return std::make_unique<engine_series<Backend>>(Watch, Drive, How);
}

template <handover_series::measured What>
std::unique_ptr<series> with_handover() {
  return std::make_unique<handover_series>(What);
}

template <autoreload::generation_state From>
std::unique_ptr<series> back_from() {
  return std::make_unique<activate_series>(From);
}

std::unique_ptr<series> frames_without_budget() {
  return std::make_unique<frame_series>(std::chrono::nanoseconds::max());
}
std::unique_ptr<series> frames_with_budget() { return std::make_unique<frame_series>(std::chrono::microseconds(100)); }

#ifdef BENCH_WITH_STATE
template <remembered What, state_series::measured Of>
std::unique_ptr<series> with_state() {
  return std::make_unique<state_series>(What, Of);
}

template <remembered What>
void add_state(interleaved& to, const std::string& name) {
  to.add("state/" + name, "a reload with the carrier of state, while a caller never stops calling",
         &with_state<What, state_series::measured::total>);
  to.add("state/" + name + "/waited", "the call of that caller that waited",
         &with_state<What, state_series::measured::waited>);
}
#endif

template <class Backend>
void add_backend(interleaved& events, interleaved& polling) {
  const std::string name = "reload/total/" + std::string(Backend::name);
  events.add(name + "/background", "inotify on the engine's thread, a caller that never stops calling",
             &by_engine<Backend, watch_mode::inotify, drive_mode::background>);
  events.add(name + "/manual", "inotify, one thread that polls, reloads and calls",
             &by_engine<Backend, watch_mode::inotify, drive_mode::manual>);
  polling.add(name + "/polling", "a look every 10 ms on the engine's thread, a caller that never stops calling",
              &by_engine<Backend, watch_mode::polling, drive_mode::background>);
}

}  // namespace

void register_benchmarks(arguments& given) {
  benchmark::AddCustomContext("directory", directory(directory::on::memory).file_system());
  benchmark::AddCustomContext("directory on disk", directory(directory::on::disk).file_system());
  const std::int64_t rounds = given.number("rounds", 1000);
  const placement where(given.number("placed", 1) == 1);
  benchmark::AddCustomContext("placement", where.text());
  const auto events = std::make_shared<interleaved>(where);
  const auto polling = std::make_shared<interleaved>(where);

  events->add("reload/floor",
              "rename: inotify wake-up, dlopen and dlsym on a thread, a caller that never stops calling",
              [] { return floor_in_background(arrival::renamed); });
  events->add("reload/total", "rename: the engine, symbols backend, inotify in the background",
              &by_engine<autoreload::symbols::backend, watch_mode::inotify, drive_mode::background>);
  events->add("reload/closed/floor", "as reload/floor, but the file is written in place and closed",
              [] { return floor_in_background(arrival::closed); });
  events->add("reload/closed/total", "as reload/total, but the file is written in place and closed",
              &by_engine<autoreload::symbols::backend, watch_mode::inotify, drive_mode::background, arrival::closed>);
  events->add("reload/disk/floor", "as reload/floor, in a directory on disk: the rename itself takes its time there",
              [] { return floor_in_background(arrival::renamed_on_disk); });
  events->add(
      "reload/disk/total", "as reload/total, in a directory on disk",
      &by_engine<autoreload::symbols::backend, watch_mode::inotify, drive_mode::background, arrival::renamed_on_disk>);
  events->add("reload/manual/floor", "one thread waits for inotify, loads and calls",
              [] { return floor_on_one_thread(); });
  events->add("reload/handover", "as reload/total, with a handover of nothing: each call that begins meanwhile waits",
              &with_handover<handover_series::measured::total>);
  events->add("reload/handover/waited", "the call that waited, of a caller that never stops calling",
              &with_handover<handover_series::measured::waited>);
  events->add("reload/handover/without", "the same caller's first call of the new build, without a handover",
              &with_handover<handover_series::measured::without>);
  events->add("reload/activate/kept", "activate(n) of a generation that is still loaded: from the request to its value",
              &back_from<autoreload::generation_state::kept>);
  events->add("reload/activate/stored", "activate(n) of a generation of which the file's copy is kept: loaded anew",
              &back_from<autoreload::generation_state::stored>);
  events->add("frame/late/poll", "the longest poll() of a loop of frames in which a reload happens",
              &frames_without_budget);
  events->add("frame/late/budget", "the same with poll(100us): what there is no time for comes in later frames",
              &frames_with_budget);
  events->add("floor/inotify_wakeup", "from rename(2) to the reader's return from read(2)",
              [] { return inotify_wake_up(); });
  add_backend<autoreload::raw::backend>(*events, *polling);
  add_backend<autoreload::raii::backend>(*events, *polling);
  add_backend<autoreload::symbols::backend>(*events, *polling);

  interleaved::register_rows(events, rounds);
#ifdef BENCH_WITH_STATE
  const auto states = std::make_shared<interleaved>(where);
  add_state<remembered::nothing>(*states, "nothing");
  add_state<remembered::variables>(*states, "100_variables");
  add_state<remembered::megabytes>(*states, "10_megabytes");
  add_state<remembered::objects>(*states, "100000_objects");
  interleaved::register_rows(states, std::max<std::int64_t>(rounds / 5, 1));
#endif
  interleaved::register_rows(polling, std::max<std::int64_t>(rounds / 5, 1));
  register_feel(std::max<std::int64_t>(rounds / 50, 1));
  register_parts();
}

}  // namespace bench
