# SPDX-License-Identifier: MIT
# goals: what the engine set out to reach, and whether this run reached it.

from dataclasses import dataclass

from . import feel, text

CALL_RATIO = 1.15     # safe call / raw pointer, at every thread count
MORE_INSTRUCTIONS = 12
RELOAD_MEDIAN = 1.5   # times the floor
RELOAD_P99 = 4.0

FRAME_MEDIAN = 1.5
QUIET_US = 50
MEGABYTES_MS = 10
SAVES = (("CMake's Makefiles, the linker alone first", "cmake-linker", 38), ("gcc, linked without driver and libraries", "fast", 30),
         ("tcc first", "ninja-tcc", 10))

SAFE, RAW = "call/reloadable", "call/raw_pointer"
FLOOR, TOTAL = "reload/floor", "reload/total"


@dataclass(frozen=True)
class Goal:
    what: str
    limit: str
    measured: str
    state: str  # met, not met, not measured
    rows: str

    @property
    def met(self):
        return self.state == "met"


def quotient(results, above, below, counter_above=None, counter_below=None):
    """One row's median over another's, or None when either is absent."""
    upper, lower = results.get(above, counter_above), results.get(below, counter_below or counter_above)
    return upper / lower if upper is not None and lower else None


def floor_of(row):
    """The floor that a row of reload/ stands on: the same way of delivering and of calling, without an engine."""
    first, *_, last = row.split("/")
    if last in ("floor", "total") and row not in (FLOOR, TOTAL):
        return row[:row.rindex("/")] + "/floor"
    return f"{first}/manual/floor" if last == "manual" else FLOOR


def _goal(what, limit, value, show, rows):
    if value is None:
        return Goal(what, f"≤ {show(limit)}", "–", "not measured", rows)
    # What is shown is what is judged: 1.1504 is shown as 1.15 and is met.
    state = "met" if float(show(value).replace(",", "")) <= limit else "not met"
    return Goal(what, f"≤ {show(limit)}", show(value), state, rows)


def evaluate(results):
    goals = []
    counts = results.thread_counts()
    for threads in counts or [1]:
        rows = f"`{SAFE}/threads:{threads}` over `{RAW}/threads:{threads}`"
        value = quotient(results, f"{SAFE}/threads:{threads}", f"{RAW}/threads:{threads}", "cpu_ns")
        plural = "thread" if threads == 1 else "threads"
        goals.append(_goal(f"safe call / raw pointer, {threads} {plural}", CALL_RATIO, value, text.ratio, rows))
    more = more_instructions(results, SAFE)
    goals.append(_goal("instructions of a safe call more than through a raw pointer", MORE_INSTRUCTIONS, more,
                       text.count, f"`{SAFE}` less `{RAW}`, counted"))
    goals.append(_goal("reload / floor, median", RELOAD_MEDIAN, quotient(results, TOTAL, FLOOR, "p50_us"), text.ratio,
                       f"`p50_us` of `{TOTAL}` over `{FLOOR}`"))
    goals.append(_goal("reload / floor, 99th percentile of both", RELOAD_P99, quotient(results, TOTAL, FLOOR, "p99_us"),
                       text.ratio, f"`p99_us` of `{TOTAL}` over `{FLOOR}`"))
    goals.append(_goal("reload's 99th percentile / floor's median", RELOAD_P99,
                       quotient(results, TOTAL, FLOOR, "p99_us", "p50_us"), text.ratio,
                       f"`p99_us` of `{TOTAL}` over `p50_us` of `{FLOOR}`"))
    if results.named("reload/manual/") or results.named("reload/handover"):
        goals += _of_frames_and_handovers(results)
    if feel.rows(results):
        goals += [_goal(f"save to new value, {what}, in ms", limit, _ms(results.get(f"feel/demo/gcc/bfd/{row}", "p50_us")), text.ratio,
                        f"`p50_us` of `feel/demo/gcc/bfd/{row}`") for what, row, limit in SAVES]
        goals.append(_goal("own share of a save, in ms, worst row", feel.OWN_LIMIT_MS, feel.worst_own_ms(results), text.ratio,
                           "`own_us` of `feel/…`"))
        goals.append(_goal("save to new value / the same by hand, worst row", feel.FLOOR_RATIO, feel.worst_ratio(results), text.ratio,
                           "`p50_us` over `floor_us` of `feel/…`"))
    return goals


def _of_frames_and_handovers(results):
    frame, frame_floor = "reload/total/symbols/manual", "reload/manual/floor"
    waited, without = "reload/handover/waited", "reload/handover/without"
    megabytes = "state/10_megabytes/waited"
    with_handover, alone = results.get(waited, "p50_us"), results.get(without, "p50_us")
    more = None if with_handover is None or alone is None else max(0.0, with_handover - alone)
    return [_goal("reload in a frame loop / its floor, median", FRAME_MEDIAN, quotient(results, frame, frame_floor, "p50_us"),
                  text.ratio, f"`p50_us` of `{frame}` over `{frame_floor}`"),
            _goal("a quiet moment with nothing to hand over, in µs", QUIET_US, more, text.count,
                  f"`p50_us` of `{waited}` less that of `{without}`"),
            _goal("a call that waits until 10 MB are handed over, 99th percentile, in ms", MEGABYTES_MS,
                  _ms(results.get(megabytes, "p99_us")), text.ratio, f"`p99_us` of `{megabytes}`")]


def _ms(microseconds):
    return None if microseconds is None else microseconds / 1000


_STAGES = ("snapshot", "inspect", "guard", "trial", "load", "verify", "publish", "outside")


def reasons(results, found):
    """A sentence for each kind of goal that is not met: where the numbers say that it goes."""
    missed = " ".join(goal.what for goal in found if goal.state == "not met")
    sentences = []
    total, floor = results.rows.get(TOTAL), results.rows.get(FLOOR)
    if "safe call" in missed or "instructions" in missed:
        sentences.append("A safe call reads its thread's slot and looks that it is free, announces the generation there, reads the "
                         "current one again, and takes the announcement back: each step is an instruction or two, and a compiler "
                         "may add copies between registers.")
    if "floor, median" in missed:
        more = {stage: (total.get(f"{stage}_us") or 0) - (floor.get(f"{stage}_us") or 0) for stage in _STAGES}
        words = [f"{text.duration(more[stage])} in `{stage}`" for stage in sorted(more, key=more.get, reverse=True)
                 if more[stage] > 0]
        if words:
            sentences.append(f"What the median reload does beyond the floor (medians of the stages): {text.enumerate_words(words)}.")
    if "99th" in missed and floor.get("p50_us"):
        sentences.append(f"The floor's own 99th percentile is {text.ratio(floor.get('p99_us') / floor.get('p50_us'))} times its median "
                         "in this run: that much of the tail is the machine's.")
    return sentences


def more_instructions(results, row):
    counted = results.instructions
    if row not in counted or RAW not in counted:
        return None
    return counted[row] - counted[RAW]


def summary(goals):
    """One sentence on all of them."""
    measured = [goal for goal in goals if goal.state != "not measured"]
    if not measured:
        return "None of the engine's goals was measured in this run."
    missed = [goal for goal in measured if not goal.met]
    left = len(goals) - len(measured)
    end = f" {left} were not measured." if left else ""
    if not missed:
        return f"All {len(measured)} goals that were measured are met." + end
    names = "; ".join(f"{goal.what} ({goal.measured}, goal {goal.limit})" for goal in missed)
    return f"{len(measured) - len(missed)} of {len(measured)} goals are met. Not met: {names}." + end
