# SPDX-License-Identifier: MIT
# comparison: two runs side by side; what changed, and what only looks so.

from dataclasses import dataclass

from . import statistics, values


@dataclass(frozen=True)
class Change:
    name: str
    counter: str
    old: float
    new: float
    real: bool  # more than the noise of both runs

    @property
    def ratio(self):
        return self.new / self.old


def _apart(old, new):
    """Whether the middle halves of two sets of repetitions don't touch. Single values say nothing about noise."""
    if len(old) < 3 or len(new) < 3:
        return False
    low, high = (old, new) if statistics.median(old) <= statistics.median(new) else (new, old)
    return statistics.quantile(low, 0.75) < statistics.quantile(high, 0.25)


def compare(old, new, least=0.03):
    """The rows that both results have, as changes; those that only one has, as two lists of names.

    least  a smaller relative change is none, however quiet the machine was
    """
    changes = []
    for name in sorted(old.rows.keys() & new.rows.keys()):
        before, after = old.rows[name], new.rows[name]
        counter = before.main_counter()
        values = before.series(counter), after.series(counter)
        if not all(values) or statistics.median(values[0]) == 0:
            continue
        medians = [statistics.median(series) for series in values]
        real = _apart(*values) and abs(medians[1] / medians[0] - 1) >= least
        changes.append(Change(name, counter, *medians, real))
    return changes, sorted(old.rows.keys() - new.rows.keys()), sorted(new.rows.keys() - old.rows.keys())


def side_by_side(one, other):
    """What can be set beside each other when two reports are of two makes of processor: counted instructions, which are
    the same on both, and ratios to each machine's own raw pointer or floor. As (name, of one, of the other)."""
    ours, theirs = values.collect(one), values.collect(other)
    names = [name for name in ours if name in theirs and name.endswith((":ratio", ":p99_ratio")) or name.startswith("instructions/")]
    return [(name, ours[name], theirs.get(name, "–")) for name in sorted(names)]
