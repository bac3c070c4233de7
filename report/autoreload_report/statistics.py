# SPDX-License-Identifier: MIT
# statistics: medians, spreads and fitted growth, with nothing but the standard library.
"""Small numbers of repetitions, heavy tails: medians and relative errors are used throughout."""

import math
from dataclasses import dataclass


def quantile(values, part):
    """The value that `part` (0 to 1) of the values don't exceed, interpolated."""
    ordered = sorted(values)
    place = part * (len(ordered) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def median(values):
    return quantile(values, 0.5)


def variation(values):
    """The coefficient of variation: standard deviation over mean. None with fewer than two values."""
    if len(values) < 2:
        return None
    mean = sum(values) / len(values)
    if mean == 0:
        return None
    return math.sqrt(sum((value - mean) ** 2 for value in values) / (len(values) - 1)) / abs(mean)


@dataclass(frozen=True)
class Fit:
    """How y grows with x.

    kind   "linear": y = start + slope * x;  "power": y = start * x ** slope;  "flat": y = start
    error  by how much a point is off, relative: 0.1 is ten percent to either side (root of mean squares of logarithms)
    """
    kind: str
    start: float
    slope: float
    error: float

    def at(self, x):
        if self.kind == "linear":
            return self.start + self.slope * x
        if self.kind == "power":
            return self.start * x ** self.slope
        return self.start


def _error(points, function):
    return math.sqrt(sum(math.log(function(x) / y) ** 2 for x, y in points) / len(points))


def _flat(points):
    start = math.exp(sum(math.log(y) for _, y in points) / len(points))
    return Fit("flat", start, 0.0, _error(points, lambda x: start))


def _weighted_line(points, weights):
    total = sum(weights)
    mean_x = sum(w * x for w, (x, _) in zip(weights, points)) / total
    mean_y = sum(w * y for w, (_, y) in zip(weights, points)) / total
    spread = sum(w * (x - mean_x) ** 2 for w, (x, _) in zip(weights, points))
    if spread == 0:
        return None
    slope = sum(w * (x - mean_x) * (y - mean_y) for w, (x, y) in zip(weights, points)) / spread
    start = mean_y - slope * mean_x
    if start < 0:  # nothing takes less than no time: through the origin, then
        start = 0.0
        slope = sum(w * x * y for w, (x, y) in zip(weights, points)) / sum(w * x * x for w, (x, _) in zip(weights, points))
    return start, slope


def _linear(points):
    """Least squares of relative errors, so that a point of 100 ms counts no more than one of 100 us.

    The errors are relative to the line, which is not known at first: weights and line are improved in turn. (Weighing
    by the measured values instead would favour a line that is too low.)
    """
    line = _weighted_line(points, [1 / y ** 2 for _, y in points])
    least = min(y for _, y in points) / 100
    for _ in range(50):
        if line is None:
            return None
        start, slope = line
        line = _weighted_line(points, [1 / max(start + slope * x, least) ** 2 for x, _ in points])
    start, slope = line
    if slope < 0 or any(start + slope * x <= 0 for x, _ in points):
        return None
    return Fit("linear", start, slope, _error(points, lambda x: start + slope * x))


def _power(points):
    """Least squares on log-log scales."""
    if any(x <= 0 for x, _ in points):
        return None
    logs = [(math.log(x), math.log(y)) for x, y in points]
    line = _plain_line(logs)
    if line is None:
        return None
    start, slope = math.exp(line[0]), line[1]
    return Fit("power", start, slope, _error(points, lambda x: start * x ** slope))


def _plain_line(points):
    mean_x = sum(x for x, _ in points) / len(points)
    mean_y = sum(y for _, y in points) / len(points)
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    if spread == 0:
        return None
    slope = sum((x - mean_x) * (y - mean_y) for x, y in points) / spread
    return mean_y - slope * mean_x, slope


def fit_growth(points, noise=0.0):
    """Fits (x, y > 0) points.

    A line is preferred, because its slope has a unit; a power is taken where it fits clearly better. What doesn't
    grow by more than the noise (relative) between its ends, or not at all, is flat.
    """
    points = sorted(points)
    if len(points) < 2:
        return None
    flat = _flat(points)
    linear = _linear(points)
    if linear is None or linear.slope <= 0:
        return flat
    grown = linear.at(points[-1][0]) / linear.at(points[0][0]) - 1
    if grown <= max(noise, 0.1):
        return flat
    power = _power(points)
    if len(points) > 2 and power is not None and power.slope > 0 and linear.error > 0.1 and power.error < linear.error / 2:
        return power
    return linear
