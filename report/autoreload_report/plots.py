# SPDX-License-Identifier: MIT
# plots: the report's drawings, each for a page and for a narrow screen.
"""Matplotlib draws in stand-in colours (see theme) and leaves texts as texts, so a drawing takes the page's theme and
can be searched and read aloud."""

import io
import re

import matplotlib

matplotlib.use("svg")
from matplotlib.figure import Figure as Canvas  # noqa: E402  (after the choice of the backend)
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullFormatter, NullLocator  # noqa: E402

from . import feel, goals, growth, storm, text, theme  # noqa: E402
from .document import Figure  # noqa: E402

_INK, _MUTED, _LINE, _PAPER = (theme.stand_in(name) for name in ("ink", "muted", "line", "paper"))
_SERIES = [theme.stand_in(name) for name in theme.SERIES]

_STYLE = {
    "svg.fonttype": "none",
    "font.family": ["DejaVu Sans"],
    "font.size": 8.5,
    "axes.titlesize": 9,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 8.5,
    "axes.edgecolor": _LINE,
    "axes.labelcolor": _MUTED,
    "axes.titlecolor": _INK,
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": _LINE,
    "grid.linewidth": 0.6,
    "text.color": _INK,
    "xtick.color": _MUTED,
    "ytick.color": _MUTED,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "figure.facecolor": "none",
    "lines.linewidth": 1.4,
    "lines.markersize": 4,
}
_WIDTHS = {"wide": 8.6, "narrow": 4.3}  # inches


# A hundredth of a unit is finer than any screen or printer shows: more digits would only make the file larger.
_GEOMETRY = re.compile(r'\b(?:d|x|y|transform|viewBox)="[^"]*"')
_NUMBER = re.compile(r"-?\d+\.\d{3,}")


def _svg(canvas, name):
    """The drawing as text that fits into a page: no size of its own, ids of its own, the page's colours."""
    buffer = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": name}):
        canvas.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None}, bbox_inches="tight", pad_inches=0.06)
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg"):]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'(<svg [^>]*?)\s(width|height)="[^"]*"', r"\1", svg)
    svg = re.sub(r'(<svg [^>]*?)\s(width|height)="[^"]*"', r"\1", svg)
    used = set(re.findall(r'(?:xlink:href="#|url\(#)([^")]+)', svg))
    svg = re.sub(r' id="([^"]+)"', lambda found: f' id="{name}-{found[1]}"' if found[1] in used else "", svg)
    svg = re.sub(r'(xlink:href="#|url\(#)', rf"\g<1>{name}-", svg)
    svg = _GEOMETRY.sub(lambda found: _NUMBER.sub(lambda number: f"{float(number[0]):.2f}", found[0].replace("\n", " ")), svg)
    svg = re.sub(r' transform="rotate\(-?0(?:\.0+)? [^"]*\)"', "", svg)  # no turn at all
    # The family once, for all.
    svg = re.sub(r"font: (\d+) ([\d.]+px) 'DejaVu Sans'", r"font-weight: \1; font-size: \2", svg)
    svg = re.sub(r"font: ([\d.]+px) 'DejaVu Sans'", r"font-size: \1", svg)
    svg = svg.replace("<svg ", """<svg style="font-family: 'DejaVu Sans', Verdana, sans-serif" """, 1)
    svg = re.sub(r">\s+<", "><", svg)
    svg = re.sub(r"<g>(<\w+ [^<>]*/>|<text [^<>]*>[^<>]*</text>)</g>", r"\1", svg)  # a group of one, with nothing to say
    return theme.with_variables(svg).strip()


def _figure(name, caption, description, draw):
    """draw(canvas maker, narrow) draws one shape; it returns the canvas, or None when there is nothing to draw."""
    shapes = {}
    with matplotlib.rc_context(_STYLE):
        for shape, width in _WIDTHS.items():
            canvas = draw(lambda height, width=width, **more: Canvas(figsize=(width, height), layout="constrained", **more),
                          shape == "narrow")
            if canvas is None:
                return None
            shapes[shape] = _svg(canvas, f"{name}-{shape}")
    return Figure(name, caption, description, shapes["wide"], shapes["narrow"])


def _legend_below(canvas, handles, labels, columns):
    """Below all axes: the saved drawing grows by it."""
    canvas.legend(handles, labels, loc="upper center", bbox_to_anchor=(0.5, 0.0), ncol=columns, columnspacing=1.4)


def _shared_legend_below(canvas, grid, columns):
    named = {label: line for axes in grid for line, label in zip(*axes.get_legend_handles_labels())}
    _legend_below(canvas, named.values(), named.keys(), columns)


def _time_axis(axis, values):
    """A logarithmic axis of microseconds with ticks at powers of ten, as texts with units."""
    axis.set_major_locator(LogLocator(base=10, numticks=12))
    axis.set_major_formatter(FuncFormatter(lambda value, _: _short_time(value)))
    if max(values) / min(values) < 30:  # too few powers of ten for a scale
        axis.set_major_locator(LogLocator(base=10, subs=(1, 2, 5), numticks=12))
    axis.set_minor_locator(NullLocator())
    axis.set_minor_formatter(NullFormatter())


def _short_time(microseconds):
    for unit, size in (("s", 1e6), ("ms", 1e3), ("µs", 1)):
        if microseconds >= size * 0.9999:
            return f"{microseconds / size:g} {unit}"
    return f"{microseconds * 1000:g} ns"


def call_bars(results):
    threads = sorted({results.thread_counts()[0], results.thread_counts()[-1]}) if results.thread_counts() else []
    if not threads:
        return None
    idioms = {row.name.split("/")[1] for row in results.named("call/") if "/storm" not in row.name}
    values = {idiom: [results.get(f"call/{idiom}/threads:{count}", "cpu_ns") for count in threads] for idiom in idioms}
    values = {idiom: found for idiom, found in values.items() if None not in found}
    order = sorted(values, key=lambda idiom: values[idiom][0], reverse=True)
    usual = sorted(value for found in values.values() for value in found)
    limit = max((value for value in usual if value <= 25), default=usual[-1]) * 1.18

    def draw(make, narrow):
        canvas = make(0.24 * len(order) * len(threads) * (0.75 if len(threads) > 1 else 1) + 1.1)
        axes = canvas.add_subplot()
        height = 0.8 / len(threads)
        for index, count in enumerate(threads):
            shown = [min(values[idiom][index], limit) for idiom in order]
            places = [place + (len(threads) / 2 - 0.5 - index) * height for place in range(len(order))]
            axes.barh(places, shown, height=height * 0.9, color=_SERIES[index], label=_threads(count))
            for place, idiom in zip(places, order):
                value = values[idiom][index]
                cut = value > limit
                axes.annotate(("» " if cut else "") + text.significant(value),
                              (min(value, limit), place), xytext=(3, 0), textcoords="offset points", va="center",
                              fontsize=7.5, annotation_clip=False,
                              bbox={"facecolor": _PAPER, "edgecolor": "none", "pad": 0.4})
        axes.set_yticks(range(len(order)), order)
        for label, idiom in zip(axes.get_yticklabels(), order):
            label.set_color(_INK)
            if idiom == "reloadable":
                label.set_fontweight("bold")
        raw = results.get("call/raw_pointer/threads:1", "cpu_ns")
        if raw:
            axes.axvline(raw, color=_INK, linewidth=0.8, linestyle=(0, (4, 3)), zorder=2.5)  # over bars, under numbers
        axes.set_xlim(0, limit * (1.16 if narrow else 1.08))
        axes.set_ylim(-0.7, len(order) - 0.3)
        axes.grid(False, axis="y")
        axes.tick_params(axis="y", length=0)
        axes.set_xlabel("ns of a thread's own time for one call")
        _legend_below(canvas, *axes.get_legend_handles_labels(), len(threads))
        return canvas

    return _figure("call-overhead",
                   "What one call costs. The dashed line is a raw function pointer; » marks bars that end beyond the drawing.",
                   "Bars: nanoseconds of one call for each idiom.", draw)


def _threads(count):
    return "1 thread" if count == 1 else f"{count} threads"


_LINES = ("raw_pointer", "reloadable", "liburcu_memb", "liburcu_qsbr", "shared_mutex", "shared_ptr_copy", "atomic_shared_ptr")


def call_threads(results):
    counts = results.thread_counts()
    lines = {}
    for idiom in _LINES:
        for storm in ("", "/storm"):
            points = [(n, results.get(f"call/{idiom}{storm}/threads:{n}", "cpu_ns")) for n in counts]
            points = [(n, value) for n, value in points if value is not None]
            if len(points) > 1:
                lines[idiom, storm] = points
    if not lines:
        return None

    def draw(make, narrow):
        storms = [storm for storm in ("", "/storm") if any(key[1] == storm for key in lines)]
        canvas = make(2.6 * len(storms) if narrow else 2.9)
        grid = canvas.subplots(*((len(storms), 1) if narrow else (1, len(storms))), sharey=True, squeeze=False).ravel()
        for axes, storm in zip(grid, storms):
            for index, idiom in enumerate(_LINES):
                if (idiom, storm) in lines:
                    axes.plot(*zip(*lines[idiom, storm]), marker="o", color=_SERIES[index],
                              label=idiom, linewidth=2.2 if idiom == "reloadable" else 1.4)
            axes.set_xscale("log", base=2)
            axes.xaxis.set_major_locator(FixedLocator(counts))
            axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
            axes.xaxis.set_minor_locator(NullLocator())
            axes.set_title("while a library is replaced all the time" if storm else "calm")
            axes.set_xlabel("calling threads")
            axes.set_ylabel("ns of CPU for a call")
        grid[0].set_ylim(0, max(value for points in lines.values() for _, value in points) * 1.08)
        _shared_legend_below(canvas, grid, 2 if narrow else 4)
        return canvas

    return _figure("call-threads", "The same over the number of threads that call.",
                   "Lines: nanoseconds of a call over the number of calling threads.", draw)


def reload_rows(results):
    """The rows that end with new code being called: the floor and the whole first, then floors of other kinds with what
    stands on them."""
    rows = [row for row in results.named("reload/") if row.get("p50_us") is not None]
    return sorted(rows, key=lambda row: (goals.floor_of(row.name) != goals.FLOOR, goals.floor_of(row.name),
                                         row.name != goals.floor_of(row.name), row.name != goals.TOTAL, row.get("p50_us")))


def is_floor(row):
    return row.name == goals.floor_of(row.name)


def reload_distribution(results):
    rows = reload_rows(results)
    if not rows:
        return None
    counters = ("p50_us", "p90_us", "p99_us", "max_us")
    marks = ("o", "|", "|", ".")

    def draw(make, narrow):
        canvas = make(0.3 * len(rows) + 1.2)
        axes = canvas.add_subplot()
        everything = []
        for place, row in enumerate(reversed(rows)):
            values = [row.get(counter) for counter in counters]
            known = [value for value in values if value]
            everything += known
            color = _SERIES[1] if is_floor(row) else _SERIES[0]
            axes.plot([min(known), max(known)], [place, place], color=color, linewidth=1)
            if values[1]:
                axes.plot([values[0], values[1]], [place, place], color=color, linewidth=4, solid_capstyle="butt")
            for value, mark in zip(values, marks):
                if value:
                    axes.plot([value], [place], marker=mark, color=color, markersize=6 if mark == "o" else 7, linestyle="")
            axes.annotate(text.duration(values[0]), (values[0], place), xytext=(0, 5), textcoords="offset points",
                          ha="center", fontsize=7.5)
        axes.set_xscale("log")
        _time_axis(axes.xaxis, everything)
        axes.set_yticks(range(len(rows)), [row.name.removeprefix("reload/") for row in reversed(rows)])
        for label in axes.get_yticklabels():
            label.set_color(_INK)
        axes.set_ylim(-0.6, len(rows) - 0.3)
        axes.grid(False, axis="y")
        axes.tick_params(axis="y", length=0)
        axes.set_xlabel("from the finished file to the first call" if narrow else
                        "from the finished file to the first call that returns the new value")
        return canvas

    return _figure("reload-latency",
                   "How long a reload takes: median (dot), up to the 90th percentile (bar), 99th percentile (tick), "
                   "slowest (small dot).",
                   "Ranges: median, 90th and 99th percentile and maximum of the reload latency for each way.", draw)


def stages(results):
    # Polling takes as long as its interval: beside it no other stage could be seen.
    rows = [row for row in reload_rows(results) if is_floor(row) or any(row.get(counter) for counter in growth.STAGES)]
    rows = [row for row in rows if not row.name.endswith("/polling")]
    if all(is_floor(row) for row in rows):
        return None
    counters = _stage_counters(rows)

    def draw(make, narrow):
        canvas = make(0.34 * len(rows) + (1.7 if narrow else 1.35))
        axes = canvas.add_subplot()
        for place, row in enumerate(reversed(rows)):
            start = 0.0
            for index, counter in enumerate(counters):
                value = max(row.get(counter) or 0.0, 0.0)
                axes.barh(place, value, left=start, height=0.62, color=_SERIES[index % len(_SERIES)],
                          edgecolor=_PAPER, linewidth=0.4, hatch="" if index < len(_SERIES) else "///",
                          label=stage_name(counter) if place == 0 else None)
                start += value
            rest = max(row.get("p50_us") - start, 0.0)
            if rest > 0:
                axes.barh(place, rest, left=start, height=0.62, facecolor="none", edgecolor=_MUTED, linewidth=0.8,
                          label="not split" if place == 0 else None)
            axes.annotate(text.duration(row.get("p50_us")), (start + rest, place), xytext=(3, 0),
                          textcoords="offset points", va="center", fontsize=7.5, annotation_clip=False)
        axes.set_yticks(range(len(rows)), [row.name.removeprefix("reload/") for row in reversed(rows)])
        for label in axes.get_yticklabels():
            label.set_color(_INK)
        axes.set_xlim(right=axes.get_xlim()[1] * (1.14 if narrow else 1.05))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: "0" if value == 0 else _short_time(value)))
        axes.locator_params(axis="x", nbins=5 if narrow else 9)
        axes.grid(False, axis="y")
        axes.tick_params(axis="y", length=0)
        handles, labels = axes.get_legend_handles_labels()
        _legend_below(canvas, handles, labels, 3 if narrow else 6)
        return canvas

    return _figure("reload-stages", "Where a reload's time goes: the medians of the stages, in their order, one after the other. Rows that "
                   "poll are left out: they wait for their interval.",
                   "Stacked bars: the stages of a reload in microseconds.", draw)


def feel_bars(results, library):
    rows = feel.rows(results, library)
    if not rows:
        return None
    limit = sorted(row.get("p50_us") for row in rows)[int(0.9 * (len(rows) - 1))] * 1.6

    def draw(make, narrow):
        canvas = make(0.19 * len(rows) + 1.2)
        axes = canvas.add_subplot()
        for place, row in enumerate(reversed(rows)):
            start = 0.0
            for index, (counter, title) in enumerate(feel.PARTS.items()):
                value = min(row.get(counter) or 0.0, limit - start)
                axes.barh(place, value, left=start, height=0.66, color=_SERIES[index % len(_SERIES)],
                          label=title if place == 0 else None)
                start += value
            whole = min(row.get("p50_us"), limit)
            if start == 0:
                axes.barh(place, whole, height=0.66, facecolor="none", edgecolor=_MUTED, linewidth=0.8)
            axes.annotate(text.duration(row.get("p50_us")), (max(start, whole), place), xytext=(3, 0),
                          textcoords="offset points", va="center", fontsize=7, annotation_clip=False)
        axes.set_yticks(range(len(rows)), [row.name.split("/", 2)[2] for row in reversed(rows)], fontsize=7)
        for label in axes.get_yticklabels():
            label.set_color(_INK)
        axes.set_xlim(0, limit * (1.2 if narrow else 1.08))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: "0" if value == 0 else _short_time(value)))
        axes.locator_params(axis="x", nbins=5 if narrow else 9)
        axes.grid(False, axis="y")
        axes.tick_params(axis="y", length=0)
        handles, labels = axes.get_legend_handles_labels()
        _legend_below(canvas, handles, labels, 3 if narrow else 5)
        return canvas

    return _figure(f"feel-{library}", f"From the save to the first new value, the {library} library: medians of the parts. A bar that "
                   "ends at the edge is longer. Rows without parts are not this project's way of building.",
                   "Stacked bars: notice, tool, compile, link and load for each way to build.", draw)


def _stage_counters(rows):
    """Counters that are stages: the known ones in their order, then others that end in _us."""
    known = [counter for counter in growth.STAGES if any(row.get(counter) for row in rows)]
    not_stages = {"p50_us", "p90_us", "p99_us", "max_us", "settled_us", "bare_us", "copied_us", "engine_us", *growth.STAGES}
    others = sorted({counter for row in rows for counter in row.counters
                     if counter.endswith("_us") and counter not in not_stages and row.get(counter)})
    return known + others


def stage_name(counter):
    return growth.STAGES[counter][0] if counter in growth.STAGES else counter.removesuffix("_us").replace("_", " ")


def _growth_panel(axes, curve):
    axis = curve.axis
    points = curve.series("p50_us")
    zero = points[0][0] == 0 and len(points) > 1
    place = (lambda x: points[1][0] / 4 if x == 0 else x) if zero else (lambda x: x)  # a logarithmic axis has no 0
    xs = [place(x) for x, _ in points]
    ys = [y for _, y in points]
    slow = dict(curve.series("p90_us"))
    everything = list(ys)
    for (x, y), drawn in zip(points, xs):
        if x in slow and slow[x] > y:
            axes.plot([drawn, drawn], [y, slow[x]], color=_SERIES[0], linewidth=1, alpha=0.55)
            everything.append(slow[x])
    axes.plot(xs, ys, marker="o", linestyle="", color=_SERIES[0], label="reload, median (line up: 90th percentile)")
    fastest = curve.series("fastest_us")
    if fastest:
        axes.plot([place(x) for x, _ in fastest], [y for _, y in fastest], marker="o", markersize=5, markerfacecolor="none",
                  markeredgecolor=_SERIES[2], linestyle="", label="fastest reload")
        everything += [y for _, y in fastest]
    bare = curve.series("bare_us")
    if bare:
        axes.plot([place(x) for x, _ in bare], [y for _, y in bare], marker="s", markersize=3, linewidth=1, color=_SERIES[1],
                  label="bare dlopen + dlsym of the same file")
        everything += [y for _, y in bare]
    fit = curve.fit()
    if fit is not None:
        begin = xs[1 if zero else 0]
        steps = [begin * (xs[-1] / begin) ** (i / 40) for i in range(41)]
        axes.plot(xs[:1] * zero + steps, [fit.at(0)] * zero + [fit.at(step) for step in steps], color=_SERIES[2] if curve.counter == "fastest_us" else _SERIES[0],
                  linestyle=(0, (4, 3)), linewidth=1, label="fitted")
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_ylim(min(everything) / 1.6, max(max(everything) * 1.6, min(everything) * 12))
    ticks = xs if len(xs) <= 4 else [xs[0], xs[len(xs) // 3], xs[2 * len(xs) // 3], xs[-1]]
    shown = dict(zip(xs, (x for x, _ in points)))
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: axis.show(shown.get(value, value))))
    axes.xaxis.set_minor_locator(NullLocator())
    _time_axis(axes.yaxis, everything)
    axes.annotate(_wrapped(growth.slope_text(curve)), (0, 1), xycoords="axes fraction", xytext=(0, 3),
                  textcoords="offset points", fontsize=8, color=_MUTED)


def _wrapped(line):
    return line if len(line) < 48 else line[:45] + "…"


_TITLES = {"size": "Size, all of it loaded", "debug_size": "Size, nearly all debug information",
           "functions": "Exported functions", "relocations": "Relocations", "bindings": "Relocations by name",
           "dependencies": "Libraries that it needs", "watched": "Watched libraries", "threads": "Busy calling threads",
           "threads_idle": "Waiting threads", "reloads": "Reloads done before"}


def growth_curves(results):
    curves = [curve for curve in growth.curves(results) if len(curve.points) > 1]
    if not curves:
        return None

    def draw(make, narrow):
        columns = 1 if narrow else 2
        lines = -(-len(curves) // columns)
        canvas = make(2.4 * lines)
        canvas.get_layout_engine().set(h_pad=0.12, hspace=0.02)
        grid = canvas.subplots(lines, columns, squeeze=False).ravel()
        for axes, curve in zip(grid, curves):
            _growth_panel(axes, curve)
            axes.set_title(_TITLES[curve.axis.key], pad=15)
        for axes in grid[len(curves):]:
            axes.set_axis_off()
        handles, labels = grid[0].get_legend_handles_labels()
        _legend_below(canvas, handles, labels, 1 if narrow else 4)
        return canvas

    return _figure("growth", "How a reload's latency grows, one thing at a time. Both scales are logarithmic; the slope is "
                   "above each drawing.", "Small drawings: reload latency over size, functions, relocations and so on.", draw)


_MEMORY = (("size", (("snapshot_kb", "private copy"), ("resident_kb", "mapped pages in memory"), ("own_kb", "pages written to"))),
           ("debug_size", (("snapshot_kb", "private copy"), ("resident_kb", "mapped pages in memory"),
                           ("own_kb", "pages written to"))),
           ("watched", (("process_kb", "whole process"),)),
           ("reloads", (("process_kb", "whole process"),)))


def memory_curves(results):
    curves = {curve.axis.key: curve for curve in growth.curves(results) if len(curve.points) > 1}
    panels = [(curves[key], series) for key, series in _MEMORY if key in curves]
    if not panels:
        return None

    def draw(make, narrow):
        columns = 1 if narrow else 2
        lines = -(-len(panels) // columns)
        canvas = make(2.3 * lines)
        canvas.get_layout_engine().set(h_pad=0.12)
        grid = canvas.subplots(lines, columns, squeeze=False).ravel()
        for axes, (curve, series) in zip(grid, panels):
            top, bottom = 0.0, float("inf")
            for index, (counter, label) in enumerate(series):
                points = [(x, y) for x, y in curve.series(counter) if x > 0 and y > 0]
                if points:
                    colour = _SERIES[3] if counter == "process_kb" else _SERIES[index]
                    axes.plot(*zip(*points), marker="o", color=colour, label=label)
                    top, bottom = max(top, *(y for _, y in points)), min(bottom, *(y for _, y in points))
            axes.set_xscale("log")
            axes.set_yscale("log")
            if top > 0:
                axes.set_ylim(bottom / 1.6, max(top * 1.6, bottom * 12))
            xs = [x for x, _ in curve.points if x > 0]
            axes.xaxis.set_major_locator(FixedLocator(xs if len(xs) <= 4 else [xs[0], xs[len(xs) // 3], xs[2 * len(xs) // 3], xs[-1]]))
            axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _, axis=curve.axis: axis.show(value)))
            axes.xaxis.set_minor_locator(NullLocator())
            axes.yaxis.set_major_locator(LogLocator(base=10, numticks=8))
            axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: _power_size(value)))
            axes.yaxis.set_minor_locator(NullLocator())
            axes.set_title(_TITLES[curve.axis.key])
        for axes in grid[len(panels):]:
            axes.set_axis_off()
        _shared_legend_below(canvas, grid, 2 if narrow else 4)
        return canvas

    return _figure("memory", "What a loaded generation, and the process, hold in memory. Both scales are logarithmic.",
                   "Small drawings: memory over library size, watched libraries and reloads done.", draw)


def _power_size(kilobytes):
    for unit, size in (("GB", 1e6), ("MB", 1e3)):
        if kilobytes >= size:
            return f"{kilobytes / size:g} {unit}"
    return f"{kilobytes:g} KB"


_WEATHERS = {"calm": "calm", "busy": "beside a busy thread", "storm": "during reloads"}


def _shares(axes, panel, title, of_what):
    for index, (name, one) in enumerate(panel):
        points = [(max(start, 1) / 1000, share) for start, share in one.at_least()]
        axes.plot(*zip(*points), drawstyle="steps-post", color=_SERIES[index], label=name)
        axes.plot([one.slowest / 1000], [points[-1][1]], marker="x", color=_SERIES[index], linestyle="")
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.xaxis.set_tick_params(labelbottom=True)
    axes.set_ylim(min(one.at_least()[-1][1] for _, one in panel) / 2, 2)
    axes.yaxis.set_major_locator(LogLocator(base=10, numticks=12))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: _one_in(value)))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.set_title(title)
    axes.set_xlabel(f"a {of_what} took this long or longer")
    axes.legend(loc="upper right")


def storm_histogram(results):
    histograms = storm.read(results.documents.get("storm_histogram", {}))
    weathers = [one for one in histograms if one.idiom == "reloadable"]
    stormy = [one for one in histograms if one.weather == "storm"]
    if not weathers or not stormy:
        return None
    panels = (("lib->f(x), calm and in a storm", [(_WEATHERS[one.weather], one) for one in weathers]),
              ("all in a storm of reloads", [(one.idiom, one) for one in stormy]))
    everything = [one for _, panel in panels for _, one in panel]
    least = min(one.at_least()[-1][1] for one in everything)

    def draw(make, narrow):
        canvas = make(5.6 if narrow else 3.3)
        grid = canvas.subplots(*((2, 1) if narrow else (1, 2)), sharex=True, sharey=True)
        for axes, (title, panel) in zip(grid, panels):
            _shares(axes, panel, title, "call")
            axes.set_ylim(least / 2, 2)
        grid[0].set_ylabel("how many calls did")
        _time_axis(grid[0].xaxis, [max(start, 1) / 1000 for one in everything for start, _ in one.buckets])
        return canvas

    return _figure("storm", "How many calls took a given time or longer; the slowest is marked. Where the line of the storm leaves "
                   "that of the busy thread is what reloads do to callers; the rest is the machine's.",
                   "Lines: the share of calls slower than a given time, calm and during reloads.", draw)


def frame_histogram(results):
    histograms = storm.read(results.documents.get("frame_histogram", {}))
    if not histograms:
        return None
    named = [(f"{one.label}, {'no reload' if one.weather == 'calm' else 'a reload a second'}", one) for one in histograms]

    def draw(make, _narrow):
        canvas = make(3.3)
        axes = canvas.subplots()
        _shares(axes, named, "the work of a frame: poll() and 100 calls", "frame")
        axes.set_ylabel("how many frames did")
        _time_axis(axes.xaxis, [max(start, 1) / 1000 for one in histograms for start, _ in one.buckets])
        return canvas

    return _figure("frames", "How many frames took a given time or longer; the slowest is marked. Where the lines with reloads leave the "
                   "one without is what a reload adds to a frame.",
                   "Lines: the share of frames slower than a given time, with and without reloads.", draw)


def _one_in(share):
    if share >= 1:
        return "all"
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if 1 / share >= size * 0.9999:
            return f"1 in {1 / share / size:.0f}{unit}"
    return f"1 in {1 / share:.0f}"
