# SPDX-License-Identifier: MIT
# storm: every call's time as a histogram, with and without reloads going on.
"""storm_histogram.json holds "series": a list of {"name", "label", "buckets"}, where a bucket is {"ns", "count"}: so many
calls took less than ns nanoseconds, and no less than the bucket before says. "max_ns" is the slowest call."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Histogram:
    name: str
    label: str
    buckets: tuple  # (upper bound in ns, calls), ascending
    slowest: float  # ns

    @property
    def calls(self):
        return sum(count for _, count in self.buckets)

    def quantile(self, part):
        """The upper bound of the bucket that holds it."""
        left = part * self.calls
        for bound, count in self.buckets:
            left -= count
            if left <= 0:
                return bound
        return self.slowest

    def slower_than(self):
        """For each bucket's bound, the share of the calls that took longer."""
        left, total = self.calls, self.calls
        shares = []
        for bound, count in self.buckets:
            left -= count
            shares.append((bound, left / total))
        return shares


def read(document):
    """The histograms of a document, or an empty list when it has none that this can read."""
    found = []
    for series in document.get("series", []):
        buckets = tuple(sorted((bucket["ns"], bucket["count"]) for bucket in series["buckets"]))
        used = [bound for bound, count in buckets if count > 0]
        if used:
            found.append(Histogram(series["name"], series.get("label", ""), buckets, series.get("max_ns", used[-1])))
    return found
