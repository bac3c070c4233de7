# SPDX-License-Identifier: MIT
# test_results: what the programs wrote is read whole, whichever of them ran.

import unittest

import support
from support import entry


class Rows(unittest.TestCase):
    def test_repetitions_are_one_row_and_its_value_is_their_median(self):
        found = support.results(a=[entry("call/x/threads:1", cpu=value) for value in (2.0, 9.0, 3.0)])
        self.assertEqual(found.get("call/x/threads:1", "cpu_ns"), 3.0)

    def test_names_are_free_of_what_the_library_adds_but_keep_the_threads(self):
        found = support.results(a=[entry("call/x/real_time/threads:2"), entry("scale/size/16/iterations:20/manual_time")])
        self.assertEqual(set(found.rows), {"call/x/threads:2", "scale/size/16"})

    def test_times_are_in_nanoseconds_whatever_the_unit(self):
        found = support.results(a=[entry("peer/x/load", real=2.0, unit="ms")])
        self.assertEqual(found.get("peer/x/load"), 2e6)

    def test_the_librarys_own_aggregates_are_not_counted_again(self):
        mean = {**entry("call/x/threads:1", cpu=100.0), "run_type": "aggregate", "aggregate_name": "mean"}
        found = support.results(a=[entry("call/x/threads:1", cpu=1.0), mean])
        self.assertEqual(found.get("call/x/threads:1"), 1.0)

    def test_a_row_that_failed_says_why_and_has_no_value(self):
        failed = {**entry("scale/size/16"), "error_occurred": True, "error_message": "refused"}
        found = support.results(a=[failed])
        self.assertEqual(found.rows["scale/size/16"].failure, "refused")
        self.assertIsNone(found.get("scale/size/16"))

    def test_counters_are_kept_and_a_latency_is_what_a_row_is_about(self):
        found = support.results(a=[entry("reload/total", real=5.0, p50_us=120.0)])
        self.assertEqual(found.get("reload/total"), 120.0)
        self.assertEqual(found.get("reload/total", "no_such"), None)

    def test_nothing_measured_is_no_error(self):
        found = support.results()
        self.assertEqual((found.rows, found.instructions, found.thread_counts()), ({}, {}, []))


if __name__ == "__main__":
    unittest.main()
