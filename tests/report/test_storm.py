# SPDX-License-Identifier: MIT
# test_storm: the histogram of calls is read right.

import unittest

import support  # noqa: F401
from autoreload_report import storm


class Histograms(unittest.TestCase):
    document = {"series": [{"name": "calm", "buckets": [{"ns": 200, "count": 9}, {"ns": 100, "count": 90}, {"ns": 800, "count": 1}]},
                           {"name": "empty", "buckets": [{"ns": 100, "count": 0}]}]}

    def test_are_sorted_and_counted(self):
        (calm,) = storm.read(self.document)
        self.assertEqual((calm.calls, calm.slowest), (100, 800))
        self.assertEqual([calm.quantile(part) for part in (0.5, 0.9, 0.91, 0.999)], [100, 100, 200, 800])

    def test_tell_how_many_calls_took_longer(self):
        (calm,) = storm.read(self.document)
        self.assertEqual([(bound, round(share, 3)) for bound, share in calm.slower_than()], [(100, 0.1), (200, 0.01), (800, 0.0)])

    def test_a_document_of_another_form_has_none(self):
        self.assertEqual(storm.read({"benchmarks": []}), [])


if __name__ == "__main__":
    unittest.main()
