# SPDX-License-Identifier: MIT
# report: puts the document together from the results of one run.

from . import answer, feel, goals, growth, placement, plots, statistics, storm, text
from .document import Bullets, Document, Heading, Paragraph, Table
from .values import show

_GOAL_WHY = ("Goals are computed from this run's rows; “not met” is what the numbers say, whatever the reason. On a machine "
             "that others use at the same time the high percentiles are the scheduler's.")


def build(results):
    facts = results.machine
    short = facts.get("short", False)
    document = Document("autoreload: what it costs",
                        f"{'Short run' if short else 'Full run'} of {facts.get('started', 'an unknown time')}, "
                        f"commit {facts.get('commit') or 'unknown'}{' with changes' if facts.get('commit_changed') else ''}, "
                        f"{facts.get('cpu', 'unknown processor')}, {facts.get('cores', '?')} cores")
    found = goals.evaluate(results)
    if short:
        document.add(Paragraph("This is a **short run**: few repetitions and only the smaller sizes. It shows that all "
                               "works and gives an impression; quote a full run.", "warning"))
    document.add(Heading(2, "The answer"), Bullets(answer.five_lines(results, found), numbered=True))
    _goals(document, results, found)
    _calls(document, results)
    _reloads(document, results)
    _feel(document, results)
    _growth(document, results)
    _peers(document, results)
    _checks(document, results)
    _guard(document, results)
    _others(document, results)
    _noise(document, results)
    _machine(document, results)
    return document


def _goals(document, results, found):
    document.add(Heading(2, "Goals"), Paragraph(goals.summary(found)),
                 Table(["<Goal", "Limit", "Measured", "<State", "<Rows"],
                       [[goal.what, goal.limit, goal.measured, goal.state, goal.rows] for goal in found]))
    reasons = goals.reasons(results, found)
    if reasons:
        document.add(Paragraph("Where it goes, for those not met:"), Bullets(reasons))
    document.add(
                 Paragraph(_GOAL_WHY, "note"))


# ---- calls

def _call_table(results, storm):
    counts = results.thread_counts()
    idioms = {row.name.split("/")[1] for row in results.named("call/") if ("/storm" in row.name) == storm}
    middle = "/storm" if storm else ""
    rows = []
    for idiom in idioms:
        cells = [results.get(f"call/{idiom}{middle}/threads:{n}", "cpu_ns") for n in counts]
        if not any(cells):
            continue
        first = results.rows[f"call/{idiom}{middle}/threads:{counts[0]}"]
        ratios = [goals.quotient(results, f"call/{idiom}{middle}/threads:{n}", f"{goals.RAW}{middle}/threads:{n}", "cpu_ns")
                  for n in (counts[0], counts[-1])]
        line = [f"`{idiom}`", first.label]
        line += [text.significant(cell) if cell is not None else "–" for cell in cells]
        line += [text.ratio(value) if value is not None else "–" for value in ratios]
        rows.append((cells[0] or float("inf"), line))
    titles = ["<Idiom", "<What it does", *(f"ns, {_threads(n)}" for n in counts)]
    titles += [f"× raw, {n}" for n in (counts[0], counts[-1])] if counts else []
    return titles, [line for _, line in sorted(rows, key=lambda row: row[0])]


def _threads(count):
    return "1 thread" if count == 1 else f"{count} threads"


def _calls(document, results):
    document.add(Heading(2, "What a call costs"))
    if not results.thread_counts():
        document.add(_absent(results, "call_overhead"))
        return
    document.add(Paragraph("Nanoseconds of the calling thread's own processor time for each call, the loop around it "
                           "included: what a call costs its thread, also when others use the machine. “× raw” is the "
                           "time over that of a raw function pointer at as many threads. Each row is the median of its "
                           "repetitions, which are run in random order."))
    document.add(plots.call_bars(results))
    titles, rows = _call_table(results, storm=False)
    document.add(Table(titles, rows, "Calm: nothing is reloaded."))
    titles, rows = _call_table(results, storm=True)
    if rows:
        document.add(Table(titles, rows, "Storm: a library is replaced all the time, as fast as it goes, on one more thread."))
    document.add(plots.call_threads(results))
    _placement(document, results)
    _storm(document, results)
    document.add(Heading(3, "Instructions"))
    if results.instructions:
        context = results.documents["instructions"].get("context", {})
        lines = sorted(results.instructions.items(), key=lambda item: item[1])
        rows = []
        for name, value in lines:
            more = goals.more_instructions(results, name)
            rows.append([f"`{name.removeprefix('call/')}`", text.count(value), "–" if more is None else f"{more:+,.0f}"])
        document.add(Table(["<Idiom", "Instructions of a call", "More than a raw pointer"], rows,
                           f"Counted by {context.get('counter', 'a counter')}: the same in every run. The loop and the "
                           "called function are included."))
    else:
        document.add(_absent(results, "instructions"))


def _placement(document, results):
    document.add(Heading(3, "Where a loop lies"))
    idioms = placement.idioms(results)
    if not idioms:
        document.add(_absent(results, "placement"))
        return
    document.add(Paragraph("One loop of calls at eight places in memory, eight bytes apart: the same instructions, and nothing but "
                           "their place differs. A ratio of two loops that lie where a linker put them says no more than this."))
    raw = placement.times(results, "raw_pointer")[0]
    document.add(Table(["<Idiom", "ns, fastest place", "ns, slowest place", "× the fastest raw", "slowest × the fastest raw"],
                       [[f"`{idiom}`", *(text.significant(value) for value in found), *(text.ratio(value / raw) for value in found)]
                        for idiom, found in ((idiom, placement.times(results, idiom)) for idiom in idioms)]))


def _storm(document, results):
    document.add(Heading(3, "Every call's time, calm and during reloads"))
    histograms = storm.read(results.documents.get("storm_histogram", {}))
    if not histograms:
        document.add(Paragraph("`storm_histogram.json` is in a form that this report does not know.", "warning")
                     if "storm_histogram" in results.documents else _absent(results, "storm_histogram"))
        return
    document.add(plots.storm_histogram(results))
    document.add(Paragraph(storm.sentence(histograms, "reloadable")))
    parts = ((0.5, "Median"), (0.99, "p99"), (0.9999, "p99.99"), (0.999999, "p99.9999"))
    document.add(Table(["<Idiom", "<Weather", "Calls", "Reloads", *(title for _, title in parts), "Slowest"],
                       [[f"`{one.idiom}`", one.weather, text.count(one.calls), text.count(one.reloads) if one.reloads else "–",
                         *(text.nanoseconds(one.quantile(part)) for part, _ in parts), text.nanoseconds(one.slowest)]
                        for one in sorted(histograms, key=lambda one: (one.idiom, list(plots._WEATHERS).index(one.weather)))],
                       "Each call is timed by itself, so the clock's own time is in it. Calm: the caller alone. Busy: beside a thread that "
                       "only counts. Storm: beside one that replaces the library without pause."))


# ---- reloads

_PERCENTILES = (("p50_us", "Median"), ("p90_us", "p90"), ("p99_us", "p99"), ("max_us", "Slowest"))


def _reloads(document, results):
    document.add(Heading(2, "What a reload takes"))
    rows = plots.reload_rows(results)
    if not rows:
        document.add(_absent(results, "reload_latency"))
    else:
        document.add(Paragraph("From the moment the file is complete to the first call that returns the new value. The "
                               "floor is what no reloader can do without: the kernel's event, and dlopen and dlsym of the "
                               "same file."))
        document.add(plots.reload_distribution(results))
        lines = []
        for row in rows:
            ratio = goals.quotient(results, row.name, goals.floor_of(row.name), "p50_us")
            lines.append([f"`{row.name}`", row.label, *(_time(row.get(counter)) for counter, _ in _PERCENTILES),
                          "–" if ratio is None else text.ratio(ratio)])
        document.add(Table(["<Row", "<What it is", *(title for _, title in _PERCENTILES), "× its floor"], lines))
        counters = plots._stage_counters(rows)
        staged = [row for row in rows if any(row.get(counter) is not None for counter in counters)]
        if staged:
            document.add(plots.stages(results))
            document.add(Table(["<Row", *(plots.stage_name(counter) for counter in counters), "whole"],
                               [[f"`{row.name}`", *(_time(row.get(counter)) for counter in counters), _time(row.get("p50_us"))]
                                for row in staged],
                               "Medians of the stages. A median of a sum is not the sum of medians, so they need not add up."))
    for prefix, title, caption in (
            ("floor/", "The floor, part by part", "Each part by itself."),
            ("load/", "Loading and unloading alone, by backend", "No watching, no snapshot: the backend's own work."),
            ("feel/", "What the user feels, by linker",
             "From the compiler's start to the first call of the new code. The linker completes the file before the compiler has "
             "ended, so the new code may come first.")):
        measured = [row for row in results.named(prefix) if row.name.count("/") < 4]
        if measured:
            document.add(Heading(3, title), _plain_table(measured, caption))
    _frames(document, results)


def _frames(document, results):
    histograms = storm.read(results.documents.get("frame_histogram", {}))
    document.add(Heading(3, "Every frame's time, with a reload every second"))
    if not histograms:
        document.add(_absent(results, "frame_histogram"))
        return
    document.add(plots.frame_histogram(results))
    parts = ((0.5, "Median"), (0.99, "p99"), (0.999, "p99.9"))
    document.add(Table(["<Way", "<Weather", "Frames", "Reloads", *(title for _, title in parts), "Slowest"],
                       [[f"`{one.label}`", one.weather, text.count(one.calls), text.count(one.reloads) if one.reloads else "–",
                         *(text.nanoseconds(one.quantile(part)) for part, _ in parts), text.nanoseconds(one.slowest)]
                        for one in histograms],
                       "What a frame does here: `poll()` and 100 calls through `frame()`. What is left of the frame is slept. Storm: with "
                       "a reload for as many frames as there are between two."))


def _feel(document, results):
    document.add(Heading(2, "From the save to the new code"))
    if not feel.rows(results):
        document.add(_absent(results, "save"))
        return
    document.add(Paragraph("A source is saved; the rebuilder builds, the engine loads, and the first call returns the new value. "
                           "`notice` is from the save to the start of the build, `load` from its end to the value. `compile` and "
                           "`link` are these two commands by hand; `tool` is what is left of the build: the tool's start and "
                           "end. `own` is notice and load. “By hand” is the floor: the same build started by hand, "
                           "then dlopen, dlsym and a call; rows that end with `-direct` or `-tcc` have the bare commands there. "
                           "A save and a build by hand take turns."))
    for library in feel.libraries(results):
        document.add(plots.feel_bars(results, library))
        document.add(Table(feel.TITLES, [feel.table_of(row) for row in feel.rows(results, library)]))
    if feel.failed(results):
        document.add(Paragraph("Could not be had on this machine: " +
                               text.enumerate_words([f"`{row.name}`" for row in feel.failed(results)]) + ".", "note"))


def _time(microseconds):
    """Nothing takes no time: a stage of 0 did not run."""
    return text.duration(microseconds) if microseconds else "–"


def _plain_table(rows, caption=""):
    """Rows of any kind: percentiles where they have them, else the time of one round."""
    rows = sorted(rows, key=lambda row: row.name)
    percentiles = any(row.get("p50_us") is not None for row in rows)
    compiled = any(row.get("compiler_us") is not None for row in rows)
    lines = []
    for row in rows:
        real, cpu = row.get("real_ns"), row.get("cpu_ns")
        middle = row.get("p50_us") if row.get("p50_us") is not None else None if real is None else real / 1000
        line = [f"`{row.name}`", row.failure or row.label, _time(middle)]
        line += [_time(row.get(counter)) for counter, _ in _PERCENTILES[1:]] if percentiles else [
            "–" if cpu is None else text.nanoseconds(cpu)]
        lines.append(line + [_time(row.get("compiler_us"))] * compiled)
    more = [title for _, title in _PERCENTILES[1:]] if percentiles else ["Processor time"]
    more += ["The compiler ended at"] * compiled
    return Table(["<Row", "<What it is", "Median", *more], lines, caption)


# ---- growth

def _growth(document, results):
    document.add(Heading(2, "How it grows"))
    curves = growth.curves(results)
    if not curves:
        document.add(_absent(results, "scaling"))
        return
    document.add(Paragraph("One library is reloaded between two builds of it while one thing at a time is made larger. "
                           "Slopes are least squares of relative errors: a line, or a power where that fits clearly better; "
                           "“none found” where the growth is within the noise of the run. They are fitted through "
                           "the fastest reload of each point, which other programs on the machine disturbed least (for "
                           "calling threads and reloads done: through the medians). The sentence names the stages that "
                           "take longer at the last point than at the first."))
    rows = []
    for curve in curves:
        if len(curve.points) > 1:
            fit = curve.fit()
            rows.append([curve.axis.title, growth.slope_text(curve, fit), "–" if fit is None else f"± {text.percent(fit.error)}",
                         growth.sentence(curve) + " " + growth.memory_sentence(curve)])
    document.add(Table(["<What grows", "<Slope", "Fit", "<Where it comes from"], rows,
                       "“Fit”: how far the points are from the fitted curve."))
    document.add(plots.growth_curves(results), plots.memory_curves(results))
    for curve in curves:
        document.add(_axis_table(curve))
        for failure in curve.failures:
            document.add(Paragraph(f"{curve.axis.title}, {failure}", "warning"))


_EXTRA = {"descriptors": "Descriptors", "mappings": "Mappings", "threads_in_process": "Threads", "process_kb": "Process",
          "snapshot_kb": "Private copy", "resident_kb": "Mapped, in memory", "own_kb": "Written to"}


def _axis_table(curve):
    if not curve.points:
        return None
    times = [("fastest_us", "Fastest"), ("p50_us", "Median"), ("p90_us", "p90"), ("p99_us", "p99"), ("bare_us", "Bare dlopen"),
             ("copied_us", "Copy, dlopen"),
             ("settled_us", "All done")]
    times = [(counter, title) for counter, title in times if curve.series(counter)]
    more = [counter for counter, _ in curve.axis.memory if curve.series(counter)]
    rows = []
    for x, row in curve.points:
        cells = [_time(row.get(counter)) for counter, _ in times]
        cells += ["–" if row.get(counter) is None else show(counter, row.get(counter)) for counter in more]
        rows.append([curve.axis.show(x), *cells])
    return Table([f"<{curve.axis.x[0].upper()}{curve.axis.x[1:]}", *(title for _, title in times), *(_EXTRA[c] for c in more)],
                 rows, f"**{curve.axis.title}.** “All done”: until the old version has left and debug information is copied.")


# ---- the rest

def _peers(document, results):
    document.add(Heading(2, "Other loaders"))
    rows = results.named("peer/")
    if not rows:
        document.add(_absent(results, "peers"))
        return
    names = sorted({row.name.split("/")[1] for row in rows})
    parts = [part for part in ("load", "call", "lookup") if any(row.name.endswith("/" + part) for row in rows)]
    lines = []
    for name in names:
        cells, labels = [], []
        for part in parts:
            row = results.rows.get(f"peer/{name}/{part}")
            labels += [f"**{part}** {row.label}"] if row and row.label else []
            if row is None:
                cells.append("–")
            elif row.failure:
                cells.append(row.failure)
            else:
                cells.append(text.nanoseconds(row.get("real_ns" if part == "load" else "cpu_ns")))
        lines.append([f"`{name}`", "; ".join(labels), *cells])
    document.add(Table(["<Loader", "<What each row does", *parts], lines,
                       "The same library and the same work, each loader used as its documentation advises. Loads are in "
                       "real time, calls and lookups in the thread's own."))


def _plain_section(document, results, title, prefix, program, words):
    document.add(Heading(2, title))
    rows = results.named(prefix)
    document.add(*([Paragraph(words), _plain_table(rows)] if rows else [_absent(results, program)]))


def _checks(document, results):
    _plain_section(document, results, "What each check costs", "check/", "check_cost",
                   "Each by itself, warm. The inspector and the trust policy are in every reload's time above; a digest is "
                   "read where the library has one, a trial made where it is switched on. The `fork` rows are what a "
                   "trial in a copy of the host would take before it has loaded anything; the `announce` rows are a "
                   "call's own check, and what it would be with the fence that membarrier(2) saves it.")


def _guard(document, results):
    _plain_section(document, results, "The ABI guard", "guard/", "guard_cost",
                   "What the guard adds to a reload where it is switched on; nothing where it is not. It reads debug "
                   "information in a process of its own: `process_alone` is the part that starting a process takes.")


_SHOWN = ("call/", "reload/", "floor/", "load/", "feel/", "scale/", "peer/", "check/", "guard/", "placed/")


def _others(document, results):
    """What other programs measured: nothing that ran is left out."""
    rows = [row for name, row in results.rows.items() if not name.startswith(_SHOWN)]
    if rows:
        document.add(Heading(2, "Other measurements"))
        for prefix in sorted({row.name.split("/")[0] for row in rows}):
            document.add(_plain_table([row for row in rows if row.name.split("/")[0] == prefix]))


def _noise(document, results):
    document.add(Heading(2, "The noise of this run"))
    facts = results.machine
    groups = {}
    for name, value in results.variations().items():
        groups.setdefault(name.split("/")[0], []).append((value, name))
    rows = []
    for prefix, found in sorted(groups.items()):
        values = [value for value, _ in found]
        worst = max(found)
        rows.append([f"`{prefix}/`", text.count(len(found)), text.percent(statistics.median(values)),
                     text.percent(statistics.quantile(values, 0.9)), f"`{worst[1]}`: {text.percent(worst[0])}"])
    if rows:
        document.add(Table(["<Rows", "How many", "Median", "Nine of ten below", "<Worst row"], rows,
                           "Coefficient of variation of each row's repetitions (standard deviation over mean), of the "
                           "number that the row is about."))
    else:
        document.add(Paragraph("No row was repeated, so nothing can be said about noise."))
    document.add(Paragraph("Rows of `reload/` and `feel/` are one long series each, shuffled with the others: their percentiles show "
                           "the noise.", "note"))
    if "load_before" in facts:
        document.add(Paragraph("Load average before and after: " + ", ".join(map(str, facts["load_before"])) + " and " +
                               ", ".join(map(str, facts["load_after"])) +
                               f" (1, 5 and 15 minutes) on {facts['cores']} cores; the suite itself loads up to three times as "
                               "many threads as there are cores."))
    builds = {context.get("library_build_type") for context in results.contexts.values()}
    if "debug" in builds:
        document.add(Paragraph("Debian's Google Benchmark library says of itself that it is a DEBUG build, in every program. "
                               "It times loops; what is inside of the loops, and the programs here, are built with "
                               "optimisation.", "note"))
    scaled = any(context.get("cpu_scaling_enabled") for context in results.contexts.values())
    if scaled:
        document.add(Paragraph("The processor's frequency scaling is on: absolute times move with it, ratios less.", "note"))


def _machine(document, results):
    document.add(Heading(2, "The machine"))
    facts = results.machine
    context = next(iter(results.contexts.values()), {})
    lines = [["Processor", f"{facts.get('cpu', '?')}, {facts.get('cores', '?')} cores"],
             ["Memory", f"{facts.get('memory_gb', '?')} GB"],
             ["Virtual machine or container", str(facts.get("virtual", "?"))],
             ["System", f"{facts.get('system', '?')}, kernel {facts.get('kernel', '?')}, {facts.get('libc', '?')}"],
             ["Temporary files on", str(facts.get("temporary_files_on", "?"))],
             ["Compiler", str(context.get("compiler", "?"))],
             ["Engine", str(context.get("engine", "?"))],
             ["Build", ", ".join(f"{key} {str(value).lower()}" for key, value in facts.get("build", {}).items()) or "?"],
             ["Commit", f"{facts.get('commit') or '?'}{' with changes' if facts.get('commit_changed') else ''}"]]
    lines += [[name, version] for name, version in sorted(facts.get("versions", {}).items())]
    document.add(Table(["<What", "<Which"], lines))
    states = []
    for name, state in facts.get("programs", {}).items():
        states.append([f"`{name}`", state["state"] + (f": {state['why']}" if "why" in state else ""),
                       f"{state['seconds']:.0f} s" if "seconds" in state else "–"])
    if states:
        document.add(Table(["<Program", "<State", "Time"], states, f"The whole run took {facts.get('seconds', '?')} s."))
    document.add(Paragraph("Google Benchmark's own JSON of every program is in `json/` beside this page; "
                           "`report/compare OLD NEW` compares two reports.", "note"))


def _absent(results, program):
    state = results.machine.get("programs", {}).get(program, {"state": "absent"})
    why = f" ({state['why']})" if "why" in state else ""
    return Paragraph(f"Not in this report: `{program}` is {state['state']}{why}.", "note")
