# SPDX-License-Identifier: MIT
# goals: what the engine set out to reach, and whether this run reached it.

from dataclasses import dataclass

from . import text

CALL_RATIO = 1.15     # safe call / raw pointer, at every thread count
MORE_INSTRUCTIONS = 12
RELOAD_MEDIAN = 1.5   # times the floor
RELOAD_P99 = 4.0

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
    return goals


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
