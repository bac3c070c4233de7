# SPDX-License-Identifier: MIT
# answer: the report in five lines. Every word that judges is chosen by a number.

from . import goals, growth, statistics, text

NOT_MEASURED = "not measured in this run"


def _verdict(found, what):
    """"met" or "NOT met" of the goals whose text begins with `what`."""
    states = {goal.state for goal in found if goal.what.startswith(what)} - {"not measured"}
    if not states:
        return "goal not measured"
    return "goal met" if states == {"met"} else "goal **not met**"


def calls(results, found):
    one = results.get("call/reloadable/threads:1", "cpu_ns")
    raw = results.get("call/raw_pointer/threads:1", "cpu_ns")
    if one is None or raw is None:
        return f"**A call**: {NOT_MEASURED}."
    ratios = {threads: goals.quotient(results, f"call/reloadable/threads:{threads}",
                                      f"call/raw_pointer/threads:{threads}", "cpu_ns")
              for threads in results.thread_counts()}
    worst = max((value, threads) for threads, value in ratios.items() if value is not None)
    line = (f"**A call** that is safe against replacement takes {text.nanoseconds(one)}, {text.ratio(one / raw)} times a "
            f"raw function pointer ({text.nanoseconds(raw)}); at most {text.ratio(worst[0])} times at any thread count "
            f"(at {worst[1]}; {_verdict(found, 'safe call')}: {goals.CALL_RATIO})")
    more = goals.more_instructions(results, "call/reloadable")
    if more is not None:
        line += f", {text.count(more)} instructions more ({_verdict(found, 'instructions')}: {goals.MORE_INSTRUCTIONS})"
    return line + "."


_OTHERS = {"shared_mutex": "a shared_mutex", "atomic_shared_ptr": "an atomic shared_ptr",
           "shared_ptr_copy": "a copied shared_ptr", "liburcu_memb": "liburcu (memb)", "liburcu_qsbr": "liburcu (qsbr)",
           "raw_dlsym_each_call": "dlsym at each call"}


def others(results):
    threads = max(results.thread_counts(), default=1)
    raw = results.get(f"call/raw_pointer/threads:{threads}", "cpu_ns")
    words = []
    for idiom, name in _OTHERS.items():
        value = results.get(f"call/{idiom}/threads:{threads}", "cpu_ns")
        if value is not None and raw:
            words.append(f"{name} {text.ratio(value / raw)}")
    if not words:
        return f"**What others pay**: {NOT_MEASURED}."
    safe = results.get(f"call/reloadable/threads:{threads}", "cpu_ns")
    mine = f", this engine {text.ratio(safe / raw)}" if safe else ""
    plural = "thread" if threads == 1 else "threads"
    return (f"**What others pay** for a call, times a raw pointer, at {threads} {plural}: "
            f"{', '.join(words)}{mine}.")


def reload(results, found):
    total, floor = results.rows.get(goals.TOTAL), results.rows.get(goals.FLOOR)
    if total is None or total.get("p50_us") is None:
        return f"**A reload**: {NOT_MEASURED}."
    line = (f"**A reload**, from the finished file to the first call of the new code, takes "
            f"{text.duration(total.get('p50_us'))} (median), {text.duration(total.get('p99_us'))} (99th percentile)")
    if floor is not None and floor.get("p50_us"):
        median, slow = (goals.quotient(results, goals.TOTAL, goals.FLOOR, counter) for counter in ("p50_us", "p99_us"))
        line += (f": {text.ratio(median)} and {text.ratio(slow)} times the bare inotify + dlopen + dlsym of the same file "
                 f"({_verdict(found, 'reload / floor, median')}: {goals.RELOAD_MEDIAN}; "
                 f"{_verdict(found, 'reload / floor, 99th')}: {text.significant(goals.RELOAD_P99, 1)})")
    return line + "."


def grows(results):
    curves = {curve.axis.key: curve for curve in growth.curves(results)}
    loaded, debug = curves.get("size"), curves.get("debug_size")
    parts = []
    if loaded and debug and loaded.fit() and debug.fit():
        parts.append(f"with what the loader maps: {growth.slope_text(loaded)}; with debug information: "
                     f"{growth.slope_text(debug)}")
        last = min(loaded.points[-1][0], debug.points[-1][0])
        share = debug_share(loaded, debug)
        if share is not None:
            verdict = "so debug information costs next to nothing" if share < 0.1 else (
                "so debug information costs less than code" if share < 0.5 else "so debug information is **not** free")
            parts[-1] += f" ({text.percent(share)} of the same size in code at {loaded.axis.show(last)}), {verdict}"
    if "watched" in curves and curves["watched"].fit():
        curve = curves["watched"]
        parts.append(f"with watched libraries (up to {curve.axis.show(curve.points[-1][0])}): {growth.slope_text(curve)}")
    if "reloads" in curves and curves["reloads"].fit():
        curve = curves["reloads"]
        parts.append(f"with reloads done (up to {curve.axis.show(curve.points[-1][0])}): {growth.slope_text(curve)}")
    return "**It grows** " + "; ".join(parts) + "." if parts else f"**Growth**: {NOT_MEASURED}."


def debug_share(loaded, debug):
    """The latency of the largest library in debug information over that of one as large in code."""
    code = dict(loaded.series(loaded.counter))
    common = [(x, y) for x, y in debug.series(debug.counter) if x in code]
    if not common:
        return None
    x, y = common[-1]
    return y / code[x]


def trust(results):
    facts = results.machine
    kind = "a **short run**: an impression, not a result" if facts.get("short") else "a full run"
    noise = list(results.variations().values())
    line = f"**How far to trust this**: {kind}"
    if noise:
        line += (f"; between repetitions half of the rows vary by less than {text.percent(statistics.median(noise))} and "
                 f"nine of ten by less than {text.percent(statistics.quantile(noise, 0.9))} (coefficient of variation)")
    if "load_before" in facts:
        line += f"; load average {facts['load_before'][0]} before and {facts.get('load_after', ['?'])[0]} after, on "
        line += f"{facts['cores']} cores"
        if facts["load_before"][0] > facts["cores"]:
            line += ", so **others used this machine at the same time**"
    return line + "."


def five_lines(results, found):
    return [calls(results, found), others(results), reload(results, found), grows(results), trust(results)]
