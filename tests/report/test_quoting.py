# SPDX-License-Identifier: MIT
# test_quoting: numbers in texts are the report's, or the check fails.

import pathlib
import subprocess
import tempfile
import unittest

import support
from autoreload_report import quoting

VALUES = {"call_ratio": "1.06", "reload/total:p50_us": "150 µs"}


class Marks(unittest.TestCase):
    def test_are_filled_and_filled_again(self):
        text = "It is <!-- value call_ratio --><!-- /value --> times."
        filled, wrong = quoting.quote(text, VALUES)
        self.assertEqual(filled, "It is <!-- value call_ratio -->1.06<!-- /value --> times.")
        self.assertEqual(len(wrong), 1)
        self.assertEqual(quoting.quote(filled, VALUES), (filled, []))

    def test_several_on_one_line_do_not_swallow_each_other(self):
        text = "<!-- value call_ratio -->x<!-- /value --> and <!-- value reload/total:p50_us -->y<!-- /value -->"
        self.assertIn("1.06<!-- /value --> and <!-- value reload/total:p50_us -->150 µs", quoting.quote(text, VALUES)[0])

    def test_an_unknown_name_is_wrong_and_left_alone(self):
        text = "<!-- value nothing -->9<!-- /value -->"
        filled, wrong = quoting.quote(text, VALUES)
        self.assertEqual(filled, text)
        self.assertIn("no value named nothing", wrong[0])

    def test_a_mark_without_its_end_is_wrong(self):
        self.assertEqual(len(quoting.quote("<!-- value call_ratio -->1.06", VALUES)[1]), 1)


class Command(unittest.TestCase):
    def run_quote(self, directory, *arguments):
        return subprocess.run([support.ROOT / "report/quote", "--from", directory, directory / "page.md", *arguments],
                              capture_output=True, text=True, check=False)

    def test_the_check_fails_until_the_text_is_filled(self):
        with tempfile.TemporaryDirectory() as name:
            directory = pathlib.Path(name)
            support.write(directory / "json", calls=support.calls(raw_pointer=1.0, reloadable=1.06))
            (directory / "page.md").write_text("<!-- value call_ratio -->1.50<!-- /value -->")
            checked = self.run_quote(directory, "--check")
            self.assertNotEqual(checked.returncode, 0)
            self.assertIn("call_ratio is 1.06, the text says 1.50", checked.stderr)
            self.assertEqual((directory / "page.md").read_text(), "<!-- value call_ratio -->1.50<!-- /value -->")
            self.assertEqual(self.run_quote(directory).returncode, 0)
            self.assertEqual(self.run_quote(directory, "--check").returncode, 0)


if __name__ == "__main__":
    unittest.main()
