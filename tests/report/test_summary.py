# SPDX-License-Identifier: MIT
# test_summary: a summary says the same as the repetitions that it was made of.

import pathlib
import subprocess
import tempfile
import unittest

import support  # noqa: I001  (it finds the package)

from autoreload_report import statistics, summary, values
from autoreload_report.results import Results


def spread(middle):
    """Nine repetitions around a middle, in no order."""
    return [support.entry(f"call/{idiom}/threads:1", cpu=middle * scale * (1 + 0.01 * ((7 * repetition) % 9)), repetition=repetition)
            for idiom, scale in (("raw_pointer", 1.0), ("reloadable", 1.1)) for repetition in range(9)]


class Summary(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.directory = pathlib.Path(temporary.name)

    def written(self, name, **programs):
        directory = self.directory / name
        support.write(directory / "json", machine={"cpu": "a processor"}, instructions={"reloadable": 12, "raw_pointer": 1}, **programs)
        results = Results(directory / "json")
        (directory / "kept").mkdir()
        summary.write(results, directory / "kept" / summary.NAME)
        return results, directory / "kept"

    def test_medians_and_quartiles_are_those_of_the_repetitions(self):
        whole, kept = self.written("one", calls=spread(2.0))
        read = summary.results_in(kept)
        for name, row in whole.rows.items():
            for part in (0.25, 0.5, 0.75):
                self.assertAlmostEqual(statistics.quantile(read.rows[name].cpu_ns, part), statistics.quantile(row.cpu_ns, part), places=5)

    def test_every_value_that_a_text_may_quote_is_there(self):
        whole, kept = self.written("one", calls=support.calls(raw_pointer=1.0, reloadable=1.1), reloads=support.reloads(100, 150, 2))
        self.assertEqual(values.collect(summary.results_in(kept)), values.collect(whole))

    def test_a_few_repetitions_stay_a_few_and_equal_ones_stay_many(self):
        _, kept = self.written("one", calls=[support.entry("call/once/threads:1", cpu=3.0)] +
                               [support.entry("call/equal/threads:1", cpu=2.0, repetition=i) for i in range(4)])
        rows = summary.results_in(kept).rows
        self.assertEqual((len(rows["call/once/threads:1"].cpu_ns), len(rows["call/equal/threads:1"].cpu_ns)), (1, 5))

    def test_a_program_that_did_not_run_is_taken_from_the_report_before_which_is_said(self):
        _, kept = self.written("old", calls=spread(2.0), saves=[support.entry("feel/slow/threads:1", cpu=9.0)])
        earlier = summary.results_in(kept)
        earlier.machine.update(started="2024-05-06T07:08:09", programs={"calls": {"state": "measured", "seconds": 5},
                                                                         "saves": {"state": "measured", "seconds": 900}})
        now, _ = self.written("new", calls=spread(4.0))
        now.machine.update(programs={"calls": {"state": "measured", "seconds": 4}, "saves": {"state": "absent"}})
        summary.fill_up(now, earlier)
        self.assertGreater(now.get("call/raw_pointer/threads:1"), 3.0)
        self.assertEqual(now.get("feel/slow/threads:1", "cpu_ns"), 9.0)
        self.assertEqual(now.machine["programs"], {"calls": {"state": "measured", "seconds": 4},
                                                   "saves": {"state": "measured", "seconds": 900, "why": "on 2024-05-06"}})

    def test_a_failed_row_stays_failed(self):
        failed = support.entry("call/broken/threads:1")
        failed.update(error_occurred=True, error_message="no such library")
        _, kept = self.written("one", calls=[failed])
        self.assertEqual(summary.results_in(kept).rows["call/broken/threads:1"].failure, "no such library")

    def test_two_summaries_are_compared_as_two_reports_are(self):
        _, old = self.written("old", calls=spread(2.0))
        _, new = self.written("new", calls=spread(2.6))
        done = subprocess.run([support.ROOT / "report/compare", old, new], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("2 rows in both: 2 changed, 0 did not", done.stdout)


if __name__ == "__main__":
    unittest.main()
