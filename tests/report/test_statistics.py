# SPDX-License-Identifier: MIT
# test_statistics: fitted growth finds what was put in.

import random
import unittest

import support  # noqa: F401
from autoreload_report import statistics


class Quantiles(unittest.TestCase):
    def test_are_interpolated(self):
        self.assertEqual(statistics.median([3, 1, 2]), 2)
        self.assertEqual(statistics.median([1, 2, 3, 4]), 2.5)
        self.assertAlmostEqual(statistics.quantile(range(101), 0.99), 99)
        self.assertEqual(statistics.quantile([7], 0.9), 7)

    def test_one_value_has_no_variation_to_speak_of(self):
        self.assertIsNone(statistics.variation([1.0]))
        self.assertAlmostEqual(statistics.variation([9, 11]), 0.1414, places=4)


class Growth(unittest.TestCase):
    def test_a_line_is_found_with_its_start_and_slope(self):
        fit = statistics.fit_growth([(x, 100 + 0.5 * x) for x in (1, 10, 100, 1000, 10000)])
        self.assertEqual(fit.kind, "linear")
        self.assertAlmostEqual(fit.start, 100, delta=1e-6)
        self.assertAlmostEqual(fit.slope, 0.5, delta=1e-9)
        self.assertLess(fit.error, 1e-9)

    def test_small_and_large_points_count_alike_and_errors_favour_neither_side(self):
        noise = random.Random(7)
        points = [(x, (100 + 0.5 * x) * noise.choice([0.7, 1 / 0.7])) for x in [1, 10, 100, 1000, 10000, 100000] * 20]
        fit = statistics.fit_growth(points)
        self.assertEqual(fit.kind, "linear")
        self.assertAlmostEqual(fit.start, 106, delta=12)
        self.assertAlmostEqual(fit.slope, 0.53, delta=0.08)

    def test_a_power_is_taken_where_a_line_does_not_fit(self):
        fit = statistics.fit_growth([(x, 3 * x ** 1.5) for x in (1, 10, 100, 1000)])
        self.assertEqual(fit.kind, "power")
        self.assertAlmostEqual(fit.slope, 1.5)
        self.assertAlmostEqual(fit.at(100), 3000)

    def test_an_axis_that_begins_at_zero_can_be_fitted(self):
        fit = statistics.fit_growth([(0, 50), (10, 150), (100, 1050)])
        self.assertEqual((fit.kind, round(fit.start), round(fit.slope)), ("linear", 50, 10))

    def test_growth_within_the_noise_is_none(self):
        points = [(1, 100), (10, 104), (100, 97), (1000, 112)]
        self.assertEqual(statistics.fit_growth(points, noise=0.2).kind, "flat")
        self.assertEqual(statistics.fit_growth([(1, 100), (1000, 200)], noise=0.2).kind, "linear")

    def test_what_shrinks_does_not_grow(self):
        self.assertEqual(statistics.fit_growth([(1, 300), (10, 200), (100, 100)]).kind, "flat")

    def test_one_point_is_no_growth(self):
        self.assertIsNone(statistics.fit_growth([(1, 2)]))


if __name__ == "__main__":
    unittest.main()
