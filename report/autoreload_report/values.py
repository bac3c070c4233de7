# SPDX-License-Identifier: MIT
# values: every number that a text may quote, by name, as the report shows it.
"""Names:
  <row>:<counter>         reload/total:p50_us, call/reloadable/threads:1:cpu_ns   the median of the repetitions
  <row>:ratio             a call over call/raw_pointer at as many threads, a reload over its floor (medians)
  <row>:p99_ratio         a reload's 99th percentile over its floor's
  instructions/<idiom>    counted instructions of a call;  instructions/<idiom>:more  than through a raw pointer
  slope/<axis>            how the latency grows;  memory/<axis>  how memory does;  growth/<axis>  the sentence
  goal/<n>:measured, goal/<n>:state
  placed/<idiom>:fastest  a call where its loop lies best;  placed/<idiom>:slowest
  call_ratio_worst        the largest ratio of a safe call at any number of threads
  debug_share             a reload of the largest library in debug information over that of one as large in code
and short names for what is quoted most: see SHORT."""

from . import answer, goals, growth, placement, text

SHORT = {
    "call_ns": "call/reloadable/threads:1:cpu_ns",
    "call_ratio": "call/reloadable/threads:1:ratio",
    "raw_call_ns": "call/raw_pointer/threads:1:cpu_ns",
    "instructions_more": "instructions/reloadable:more",
    "reload_median": "reload/total:p50_us",
    "reload_p99": "reload/total:p99_us",
    "reload_ratio": "reload/total:ratio",
    "reload_floor": "reload/floor:p50_us",
    "slope_size": "slope/size",
    "slope_debug": "slope/debug_size",
}


def show(counter, value):
    if counter.endswith("_us"):
        return text.duration(value)
    if counter.endswith("_ns"):
        return text.nanoseconds(value)
    if counter.endswith("_kb"):
        return text.size(value)
    return text.count(value)


def collect(results):
    """A dictionary: name to text."""
    found = {}
    for name, row in results.rows.items():
        for counter in ["cpu_ns", "real_ns", *row.counters]:
            value = row.get(counter)
            if value is not None:
                found[f"{name}:{counter}"] = show(counter, value)
        ratio = None
        if name.startswith("call/"):
            threads = name[name.rfind("/threads:"):] if "/threads:" in name else ""
            storm = "/storm" if "/storm" in name else ""
            ratio = goals.quotient(results, name, f"{goals.RAW}{storm}{threads}", "cpu_ns")
        elif name.startswith("reload/"):
            ratio = goals.quotient(results, name, goals.floor_of(name), "p50_us")
            slow = goals.quotient(results, name, goals.floor_of(name), "p99_us")
            if slow is not None:
                found[f"{name}:p99_ratio"] = text.ratio(slow)
        if ratio is not None:
            found[f"{name}:ratio"] = text.ratio(ratio)
    for name, value in results.instructions.items():
        idiom = name.removeprefix("call/")
        found[f"instructions/{idiom}"] = text.count(value)
        more = goals.more_instructions(results, name)
        if more is not None:
            found[f"instructions/{idiom}:more"] = text.count(more)
    for idiom in placement.idioms(results):
        found[f"placed/{idiom}:fastest"], found[f"placed/{idiom}:slowest"] = map(text.nanoseconds, placement.times(results, idiom))
    ratios = [goals.quotient(results, f"{goals.SAFE}/threads:{n}", f"{goals.RAW}/threads:{n}", "cpu_ns")
              for n in results.thread_counts()]
    if any(ratios):
        found["call_ratio_worst"] = text.ratio(max(filter(None, ratios)))
    curves = {curve.axis.key: curve for curve in growth.curves(results)}
    if curves.keys() >= {"size", "debug_size"}:
        share = answer.debug_share(curves["size"], curves["debug_size"])
        if share is not None:
            found["debug_share"] = text.percent(share)
    for curve in curves.values():
        if len(curve.points) > 1:
            found[f"slope/{curve.axis.key}"] = growth.slope_text(curve)
            found[f"growth/{curve.axis.key}"] = growth.sentence(curve)
            found[f"memory/{curve.axis.key}"] = growth.memory_sentence(curve)
    for number, goal in enumerate(goals.evaluate(results), 1):
        found[f"goal/{number}:measured"] = goal.measured
        found[f"goal/{number}:state"] = goal.state
    for key in ("cpu", "kernel", "commit", "libc"):
        if results.machine.get(key):
            found[f"machine/{key}"] = str(results.machine[key])
    for short, name in SHORT.items():
        if name in found:
            found[short] = found[name]
    return found
