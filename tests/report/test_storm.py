# SPDX-License-Identifier: MIT
# test_storm: the histogram of calls is read right, and judged by its numbers.

import unittest

import support  # noqa: F401
from autoreload_report import storm


def series(weather, slow):
    return {"name": f"call/reloadable/{weather}", "max_ns": slow + 10, "reloads": 5, "buckets": [[slow, 20], [100, 9000], [50, 980]]}


class Histograms(unittest.TestCase):
    def test_are_sorted_and_counted(self):
        (calm,) = storm.read({"series": [series("calm", 800)]})
        self.assertEqual((calm.idiom, calm.weather, calm.calls, calm.slowest), ("reloadable", "calm", 10000, 810))
        self.assertEqual([calm.quantile(part) for part in (0.05, 0.5, 0.998, 0.9999)], [50, 100, 100, 800])

    def test_tell_how_many_calls_took_as_long(self):
        (calm,) = storm.read({"series": [series("calm", 800)]})
        self.assertEqual(calm.at_least(), [(50, 1.0), (100, 0.902), (800, 0.002)])

    def test_a_document_of_another_form_has_none(self):
        self.assertEqual(storm.read({"benchmarks": []}), [])

    def test_reloads_are_compared_with_another_busy_thread(self):
        harmless = storm.read({"series": [series("busy", 800), series("storm", 850)]})
        self.assertIn("no slower than", storm.sentence(harmless, "reloadable"))
        harmful = storm.read({"series": [series("busy", 800), series("storm", 4000)]})
        self.assertIn("5.00 times as slow", storm.sentence(harmful, "reloadable"))
        self.assertEqual(storm.sentence(harmful, "shared_mutex"), "")


if __name__ == "__main__":
    unittest.main()
