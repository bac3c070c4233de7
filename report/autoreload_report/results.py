# SPDX-License-Identifier: MIT
# results: reads what the benchmark programs wrote, whichever of them ran.
"""A row is what one benchmark measured, its repetitions together. Rows keep the names that the programs gave them,
without what Google Benchmark adds (/real_time, /iterations:20)."""

import json
import pathlib
import re
from dataclasses import dataclass, field

from . import statistics

_ADDED = re.compile(r"/(real_time|manual_time|process_time|iterations:\d+|repeats:\d+|min_time:[^/]+|min_warmup_time:[^/]+)")
_TO_NANOSECONDS = {"ns": 1.0, "us": 1e3, "ms": 1e6, "s": 1e9}
# What every entry of Google Benchmark's JSON has; all else that is a number is a counter.
_STANDARD = {"family_index", "per_family_instance_index", "repetitions", "repetition_index", "threads", "iterations",
             "real_time", "cpu_time"}


@dataclass
class Row:
    name: str
    label: str = ""
    threads: int = 1
    real_ns: list = field(default_factory=list)
    cpu_ns: list = field(default_factory=list)
    counters: dict = field(default_factory=dict)
    failure: str = ""

    def series(self, counter):
        """A counter's value in each repetition; cpu_ns and real_ns are counters, too."""
        if counter == "cpu_ns":
            return self.cpu_ns
        if counter == "real_ns":
            return self.real_ns
        return self.counters.get(counter, [])

    def get(self, counter):
        """The median of the repetitions, or None."""
        values = self.series(counter)
        return statistics.median(values) if values else None

    def main_counter(self):
        """What the row is about: the median of a latency, or a thread's own time for a call."""
        if "p50_us" in self.counters:
            return "p50_us"
        return "cpu_ns" if self.name.startswith("call/") else "real_ns"


def plain_name(name):
    return _ADDED.sub("", name)


def rows_of(document):
    """The rows of one document of Google Benchmark, by name."""
    rows = {}
    for entry in document.get("benchmarks", []):
        if entry.get("run_type") == "aggregate":
            continue
        name = plain_name(entry.get("run_name", entry["name"]))
        row = rows.setdefault(name, Row(name))
        row.label = entry.get("label", row.label)
        row.threads = entry.get("threads", 1)
        if entry.get("error_occurred"):
            row.failure = entry.get("error_message", "failed")
            continue
        scale = _TO_NANOSECONDS[entry.get("time_unit", "ns")]
        row.real_ns.append(entry["real_time"] * scale)
        row.cpu_ns.append(entry["cpu_time"] * scale)
        for key, value in entry.items():
            if key not in _STANDARD and isinstance(value, (int, float)) and not isinstance(value, bool):
                row.counters.setdefault(key, []).append(value)
    return rows


class Results:
    """All that one run left behind in a directory of JSON files."""

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.documents = {path.stem: json.loads(path.read_text()) for path in sorted(self.directory.glob("*.json"))}
        self.rows = {}
        self.contexts = {}
        for name, document in self.documents.items():
            if isinstance(document, dict) and "benchmarks" in document:
                self.contexts[name] = document.get("context", {})
                self.rows.update(rows_of(document))

    @property
    def machine(self):
        return self.documents.get("machine", {})

    @property
    def instructions(self):
        """Instructions of one call by row name, or an empty dict."""
        document = self.documents.get("instructions")
        if document is None:
            return {}
        return {entry["name"]: entry["instructions"] for entry in document["instructions"]}

    def get(self, name, counter=None):
        """A row's median, or None when the row is absent or failed."""
        row = self.rows.get(name)
        if row is None:
            return None
        return row.get(counter or row.main_counter())

    def named(self, prefix):
        return [row for name, row in self.rows.items() if name.startswith(prefix)]

    def thread_counts(self):
        return sorted({row.threads for row in self.named("call/reloadable/threads:")})

    def variations(self):
        """The coefficient of variation of each row that was repeated."""
        found = {}
        for name, row in self.rows.items():
            value = statistics.variation(row.series(row.main_counter()))
            if value is not None:
                found[name] = value
        return found
