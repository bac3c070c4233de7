# SPDX-License-Identifier: MIT
# storm: every call's or frame's time as a histogram: calm, beside a busy thread, and during reloads.
"""storm_histogram.json and frame_histogram.json hold "series": a list of {"name": "<what>/<idiom>/<weather>", "label", "reloads", "max_ns",
"buckets"}, where a bucket is [lower end in ns, calls]."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Histogram:
    idiom: str
    weather: str  # calm; busy: beside a thread that only counts; storm: beside one that replaces the library all the time
    label: str
    buckets: tuple  # (lower end in ns, calls), ascending
    slowest: float  # ns
    reloads: int

    @property
    def calls(self):
        return sum(count for _, count in self.buckets)

    def quantile(self, part):
        """The lower end of the bucket that holds it."""
        left = part * self.calls
        for start, count in self.buckets:
            left -= count
            if left <= 0:
                return start
        return self.slowest

    def at_least(self):
        """For each bucket, the share of the calls that took as long or longer."""
        left, total, shares = self.calls, self.calls, []
        for start, count in self.buckets:
            shares.append((start, left / total))
            left -= count
        return shares


def read(document):
    """The histograms of a document, or an empty list when it has none that this can read."""
    found = []
    for series in document.get("series", []):
        _, idiom, weather = series["name"].split("/")
        buckets = tuple(sorted((start, count) for start, count in series["buckets"] if count > 0))
        if buckets:
            found.append(Histogram(idiom, weather, series.get("label", ""), buckets, series["max_ns"], series.get("reloads", 0)))
    return found


def sentence(histograms, idiom):
    """What reloads do to the slow calls of an idiom, beside what another busy thread does to them."""
    of = {one.weather: one for one in histograms if one.idiom == idiom}
    if not {"busy", "storm"} <= of.keys():
        return ""
    busy, stormy = of["busy"], of["storm"]
    part = 0.9999
    ratio = stormy.quantile(part) / max(busy.quantile(part), 1)
    verdict = ("no slower than beside a thread that only counts" if ratio <= 1.15 else
               f"{ratio:.2f} times as slow as beside a thread that only counts")
    return (f"`{idiom}` during {stormy.reloads:,} reloads: the slowest call in ten thousand is {verdict} "
            f"({stormy.quantile(part):,} and {busy.quantile(part):,} ns); the slowest of all took {stormy.slowest / 1e6:.2f} ms, "
            f"beside the other thread {busy.slowest / 1e6:.2f} ms.")
