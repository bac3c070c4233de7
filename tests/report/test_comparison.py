# SPDX-License-Identifier: MIT
# test_comparison: a change is more than noise.

import subprocess
import tempfile
import unittest

import support
from autoreload_report import comparison
from support import entry


def rows(**series):
    return [entry(f"call/{name}/threads:1", cpu=value, repetition=i) for name, values in series.items()
            for i, value in enumerate(values)]


class Changes(unittest.TestCase):
    def compare(self, old, new):
        changes, gone, come = comparison.compare(support.results(a=rows(**old)), support.results(a=rows(**new)))
        return {change.name.split("/")[1]: change for change in changes}, gone, come

    def test_a_clear_change_is_real_and_an_overlap_is_noise(self):
        changes, _, _ = self.compare({"slow": [2, 2.1, 2.05, 2], "noisy": [2, 9, 3, 4]}, {"slow": [3, 3.1, 3, 3.05], "noisy": [5, 2, 6, 3]})
        self.assertTrue(changes["slow"].real)
        self.assertGreater(changes["slow"].ratio, 1.4)
        self.assertFalse(changes["noisy"].real)

    def test_a_tiny_change_is_none_however_quiet_the_machine(self):
        changes, _, _ = self.compare({"x": [2.00] * 5}, {"x": [2.02] * 5})
        self.assertFalse(changes["x"].real)

    def test_single_values_prove_nothing(self):
        changes, _, _ = self.compare({"x": [2.0]}, {"x": [4.0]})
        self.assertFalse(changes["x"].real)

    def test_rows_of_one_side_are_listed(self):
        _, gone, come = self.compare({"x": [1], "old": [1]}, {"x": [1], "new": [1]})
        self.assertEqual((gone, come), (["call/old/threads:1"], ["call/new/threads:1"]))

    def test_two_makes_of_processor_are_set_side_by_side_by_instructions_and_ratios(self):
        with tempfile.TemporaryDirectory() as name:
            for side, cpu, raw, safe in (("one", "This", 2.0, 2.2), ("other", "That", 1.0, 1.26)):
                support.write(f"{name}/{side}/json", machine={"cpu": cpu}, instructions={"raw_pointer": 6, "reloadable": 17},
                              a=support.calls(raw_pointer=raw, reloadable=safe))
            done = subprocess.run([support.ROOT / "report/compare", name + "/one", name + "/other"], capture_output=True, text=True,
                                  check=True)
        lines = [line.split() for line in done.stdout.splitlines()]
        self.assertIn(["call/reloadable/threads:1:ratio", "1.10", "1.26"], lines)
        self.assertIn(["instructions/reloadable:more", "11", "11"], lines)
        self.assertNotIn("slower", done.stdout)

    def test_the_command_fails_above_the_limit_only(self):
        with tempfile.TemporaryDirectory() as name:
            support.write(name + "/old/json", a=rows(x=[2.0] * 4))
            support.write(name + "/new/json", a=rows(x=[2.4] * 4))
            command = [support.ROOT / "report/compare", name + "/old", name + "/new"]
            for limit, status in (("1.5", 0), ("1.1", 1)):
                done = subprocess.run([*command, "--fail-above", limit], capture_output=True, text=True, check=False)
                self.assertEqual(done.returncode, status, done.stderr)
                self.assertIn("slower", done.stdout)


if __name__ == "__main__":
    unittest.main()
