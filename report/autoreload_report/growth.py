# SPDX-License-Identifier: MIT
# growth: what the rows scale/<axis>/<value> say, axis by axis: a fitted slope, and where the growth comes from.

from dataclasses import dataclass, field

from . import statistics, text

# Where a reload's time goes, in its order, by counter.
STAGES = {
    "notice_us": ("notice", "the kernel's event and the wake-up of the engine's thread"),
    "snapshot_us": ("snapshot", "reading the file and writing the private copy of what the loader maps"),
    "inspect_us": ("inspect", "the look at every header, symbol, relocation and listed function"),
    "guard_us": ("guard", "the ABI check"),
    "trial_us": ("trial", "the trial load in a helper process"),
    "load_us": ("load", "the system's loader: mapping, relocating, binding names, dlsym"),
    "verify_us": ("verify", "the check whose symbols these are"),
    "publish_us": ("publish", "the one store, and handing the old version over"),
    "outside_us": ("outside", "the writer's system call, the wake-up and the caller's way to the news"),
    "called_us": ("call", "getting a processor back to the thread that calls"),
}


def _bytes(value):
    return text.size(value / 1024)


@dataclass(frozen=True)
class Axis:
    """title of the axis; what x is; `per`: the step that a slope is given for, and its name; `show`: x as text."""
    key: str
    title: str
    x: str
    per: float
    per_name: str
    show: object = text.count
    counter: str = "fastest_us"  # what is fitted: the fastest reload is the one that other programs disturbed least
    memory: tuple = ()  # (counter, what it is)


_GENERATION = (("snapshot_kb", "the private copy"), ("resident_kb", "mapped pages in memory"),
               ("own_kb", "pages written to"))
_PROCESS = (("process_kb", "memory of the process"), ("descriptors", "descriptors"), ("mappings", "mappings"),
            ("threads_in_process", "threads"))

AXES = (
    Axis("size", "Library size, all of it loaded", "bytes that the loader maps", 1024 * 1024, "MB", _bytes,
         memory=_GENERATION),
    Axis("debug_size", "Library size, all but 16 KB of it debug information", "bytes of the file", 1024 * 1024, "MB",
         _bytes, memory=_GENERATION),
    Axis("functions", "Exported functions", "functions", 1000, "1,000 functions", memory=_GENERATION),
    Axis("relocations", "Relocations without a name", "relocations", 1000, "1,000 relocations", memory=_GENERATION),
    Axis("bindings", "Relocations by name, each to another function", "names", 1000, "1,000 names", memory=_GENERATION),
    Axis("dependencies", "Libraries that it needs", "libraries", 1, "library", memory=_PROCESS),
    Axis("watched", "Watched libraries in the process, one of them changed", "libraries", 1, "library", memory=_PROCESS),
    Axis("threads", "Threads that call all the time", "threads", 1, "thread", counter="p50_us", memory=_PROCESS),
    Axis("threads_idle", "Threads that have called and now wait", "threads", 100, "100 threads", memory=_PROCESS),
    Axis("reloads", "Reloads done before", "reloads", 10000, "10,000 reloads", counter="p50_us", memory=_PROCESS),
)


@dataclass
class Curve:
    """One axis as measured: points are (x, row), sorted."""
    axis: Axis
    points: list
    failures: list = field(default_factory=list)

    @property
    def counter(self):
        return self.axis.counter if self.series(self.axis.counter) else "p50_us"

    def series(self, counter):
        return [(x, row.get(counter)) for x, row in self.points if row.get(counter) is not None]

    def fit(self, counter=None):
        counter = counter or self.counter
        points = [(x, y) for x, y in self.series(counter) if y > 0]
        return statistics.fit_growth(points, self.noise(counter))

    def noise(self, counter):
        """The typical variation of this axis's rows between repetitions, twice, as the least that counts as growth."""
        found = [statistics.variation(row.series(counter)) for _, row in self.points]
        found = [value for value in found if value is not None]
        return 2 * statistics.median(found) if found else 0.25


def curves(results):
    found = []
    for axis in AXES:
        curve = Curve(axis, [])
        for row in results.named(f"scale/{axis.key}/"):
            x = float(row.name.rsplit("/", 1)[1])
            if row.failure:
                curve.failures.append(f"{axis.show(x)}: {row.failure}")
            else:
                curve.points.append((x, row))
        curve.points.sort(key=lambda point: point[0])
        if curve.points or curve.failures:
            found.append(curve)
    return found


def slope_text(curve, fit=None, show=text.duration):
    """"12.3 µs per MB", "13 % more each time it doubles" (what is left of a power law in plain words) or "none found"."""
    fit = fit or curve.fit()
    if fit is None:
        return "–"
    if fit.kind == "flat":
        return "none found"
    if fit.kind == "power":
        return f"{text.percent(2 ** fit.slope - 1)} more each time it doubles"
    return f"{show(fit.slope * curve.axis.per)} per {curve.axis.per_name}"


def sources(curve):
    """Which stages the growth between the first and the last point is made of: (share, counter), largest first."""
    (_, first), (_, last) = curve.points[0], curve.points[-1]
    prefix = "fastest_" if curve.counter == "fastest_us" else ""
    grown = {}
    for counter in STAGES:
        begin, end = first.get(prefix + counter), last.get(prefix + counter)
        if begin is not None and end is not None and end > begin:
            grown[counter] = end - begin
    total = sum(grown.values())
    return sorted(((value / total, counter) for counter, value in grown.items()), reverse=True) if total else []


def sentence(curve):
    """How the latency grows and where that comes from, in one sentence, from the numbers alone."""
    if len(curve.points) < 2:
        return "Too few points to say how it grows."
    (x0, first), (x1, last) = curve.points[0], curve.points[-1]
    y0, y1 = first.get(curve.counter), last.get(curve.counter)
    ends = f"{text.duration(y0)} at {curve.axis.show(x0)}, {text.duration(y1)} at {curve.axis.show(x1)}"
    fit = curve.fit()
    if fit is None or fit.kind == "flat":
        return f"No growth found beyond the noise of this run: {ends}."
    parts = [(share, counter) for share, counter in sources(curve)[:2] if share >= 0.15]
    words = [f"{text.percent(share)} {'of the growth is ' * (place == 0)}in `{STAGES[counter][0]}` ({STAGES[counter][1]})"
             for place, (share, counter) in enumerate(parts)]
    return f"{ends}; {text.enumerate_words(words)}." if words else f"{ends}; no stage stands out."


def memory_sentence(curve):
    """What one more of x costs in memory and other resources."""
    if len(curve.points) < 2:
        return ""
    words = []
    for counter, what in curve.axis.memory:
        points = [(x, y) for x, y in curve.series(counter) if y > 0]
        fit = statistics.fit_growth(points)
        if fit is None or fit.kind == "flat":
            continue
        if fit.kind == "linear":
            step = fit.slope * curve.axis.per
            if counter.endswith("_kb"):
                words.append(f"{text.size(step)} of {what}")
            else:
                words.append(f"1 {what[:-1]}" if text.count(step) == "1" else f"{text.count(step)} {what}")
    per = f"Per {curve.axis.per_name}: "
    return per + text.enumerate_words(words) + "." if words else "Memory, descriptors and threads don't grow with it."
