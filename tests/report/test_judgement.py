# SPDX-License-Identifier: MIT
# test_judgement: goals, sentences and the five lines say what the numbers say, also when that is bad news.

import unittest

import support
from autoreload_report import answer, goals, growth, values


class Goals(unittest.TestCase):
    def states(self, found):
        return {goal.what: goal.state for goal in goals.evaluate(found)}

    def test_good_numbers_meet_them(self):
        found = support.results(instructions={"raw_pointer": 6, "reloadable": 15}, a=support.calls(raw_pointer=2.2, reloadable=2.4),
                                b=support.reloads(100, 140, 2.5))
        self.assertEqual(set(self.states(found).values()), {"met"})
        self.assertIn("All 6 goals", goals.summary(goals.evaluate(found)))

    def test_bad_numbers_do_not_and_the_summary_names_each(self):
        found = support.results(instructions={"raw_pointer": 6, "reloadable": 19}, a=support.calls(raw_pointer=2.2, reloadable=2.6),
                                b=support.reloads(100, 160, 6))
        self.assertEqual(set(self.states(found).values()), {"not met"})
        self.assertIn("reload / floor, median (1.60, goal ≤ 1.50)", goals.summary(goals.evaluate(found)))

    def test_a_goal_that_is_not_met_has_its_reason_from_the_same_numbers(self):
        found = support.results(b=support.reloads(100, 160, 6))
        reasons = " ".join(goals.reasons(found, goals.evaluate(found)))
        self.assertIn("48.0 µs in `load` and 32.0 µs in `snapshot`", reasons)
        self.assertIn("2.00 times its median", reasons)

    def test_goals_that_are_met_need_no_reason(self):
        found = support.results(a=support.calls(raw_pointer=2.2, reloadable=2.4), b=support.reloads(100, 140, 2.5))
        self.assertEqual(goals.reasons(found, goals.evaluate(found)), [])

    def test_what_is_shown_is_what_is_judged(self):
        found = support.results(a=support.calls(raw_pointer=1.0, reloadable=1.1504))
        self.assertEqual(self.states(found)["safe call / raw pointer, 1 thread"], "met")

    def test_a_save_is_judged_by_its_worst_row_and_tcc_not_by_the_compiler_it_stands_in_for(self):
        def states(own, floor):
            return self.states(support.results(save=[
                support.entry("feel/demo/gcc/bfd/ninja", p50_us=40000, p90_us=41000, own_us=900, floor_us=39000),
                support.entry("feel/demo/gcc/bfd/make", p50_us=40000, p90_us=41000, own_us=own, floor_us=floor),
                support.entry("feel/demo/gcc/bfd/ninja-tcc", p50_us=9000, p90_us=9000, own_us=900, floor_us=4000)]))
        own, ratio = "own share of a save, in ms, worst row", "save to new value / the same by hand, worst row"
        self.assertEqual((states(2900, 38000)[own], states(2900, 38000)[ratio]), ("met", "met"))
        self.assertEqual((states(3200, 30000)[own], states(3200, 30000)[ratio]), ("not met", "not met"))

    def test_a_quiet_moment_is_judged_by_what_it_adds_to_the_same_callers_call(self):
        def state(waited):
            return self.states(support.results(reload_latency=[
                support.entry("reload/handover/waited", p50_us=waited, p99_us=900),
                support.entry("reload/handover/without", p50_us=200, p99_us=900)]))["a quiet moment with nothing to hand over, in µs"]
        self.assertEqual((state(249), state(251)), ("met", "not met"))

    def test_saves_are_judged_by_the_chain(self):
        found = self.states(support.results(save=[support.entry("feel/demo/gcc/bfd/cmake-linker", p50_us=37000, p90_us=41000),
                                                  support.entry("feel/demo/gcc/bfd/ninja-tcc", p50_us=11000, p90_us=11000)]))
        self.assertEqual([found[f"save to new value, {chain}, in ms"] for chain in
                          ("CMake's Makefiles, the linker alone first", "tcc first", "gcc, linked without driver and libraries")],
                         ["met", "not met", "not measured"])

    def test_what_did_not_run_is_not_met_by_silence(self):
        self.assertEqual(set(self.states(support.results()).values()), {"not measured"})
        self.assertIn("None", goals.summary(goals.evaluate(support.results())))


class Growth(unittest.TestCase):
    def curve(self, entries):
        return growth.curves(support.results(scaling=entries))[0]

    def test_the_stage_that_grows_is_named(self):
        curve = self.curve(support.axis("size", [(16384, 100), (1048576, 1000), (16777216, 15000)],
                                        snapshot_us=lambda x: x / 1200, notice_us=lambda x: 30))
        self.assertIn("100 % of the growth is in `snapshot`", growth.sentence(curve))
        self.assertIn("µs per MB", growth.slope_text(curve))

    def test_slopes_go_through_the_fastest_reloads_where_those_are_known(self):
        noisy = [(16384, 9000), (1048576, 7000), (16777216, 60000)]
        curve = self.curve(support.axis("size", noisy, fastest_us=lambda x: 100 + x / 1024 / 1024 * 500,
                                        fastest_snapshot_us=lambda x: x / 3000))
        self.assertEqual(growth.slope_text(curve), "500 µs per MB")
        self.assertIn("108 µs at 16 KB", growth.sentence(curve))
        self.assertIn("`snapshot`", growth.sentence(curve))

    def test_a_power_law_is_said_in_plain_words(self):
        curve = self.curve(support.axis("debug_size", [(2 ** n, 100 * 2 ** (0.25 * n)) for n in range(14, 28, 2)]))
        self.assertEqual(growth.slope_text(curve), "19 % more each time it doubles")

    def test_no_growth_is_said(self):
        curve = self.curve(support.axis("watched", [(1, 150), (10, 152), (100, 149)], process_kb=lambda x: 5000 + 30 * x))
        self.assertIn("No growth found", growth.sentence(curve))
        self.assertEqual(growth.slope_text(curve), "none found")
        self.assertIn("30 KB of memory of the process", growth.memory_sentence(curve))

    def test_points_that_failed_are_kept_apart(self):
        failed = {**support.entry("scale/size/268435456"), "error_occurred": True, "error_message": "no room"}
        curve = self.curve([*support.axis("size", [(16384, 100)]), failed])
        self.assertEqual(len(curve.points), 1)
        self.assertEqual(curve.failures, ["256 MB: no room"])


class Answer(unittest.TestCase):
    def lines(self, **more):
        found = support.results(**more)
        return answer.five_lines(found, goals.evaluate(found))

    def test_is_five_lines_whatever_was_measured(self):
        self.assertEqual(len(self.lines()), 5)
        self.assertTrue(all("not measured" in line for line in self.lines()[:4]))

    def test_a_missed_goal_is_said_in_it(self):
        lines = self.lines(a=support.calls(raw_pointer=2.0, reloadable=3.0), b=support.reloads(100, 300, 2))
        self.assertIn("1.50 times", lines[0])
        self.assertIn("not met", lines[0])
        self.assertIn("not met", lines[2])

    def test_debug_information_is_free_only_when_it_is(self):
        code = support.axis("size", [(16384, 100), (16777216, 10000)])
        for cost, word in ((110, "next to nothing"), (2000, "less than code"), (9000, "**not** free")):
            lines = self.lines(scaling=code + support.axis("debug_size", [(16384, 100), (16777216, cost)]))
            self.assertIn(word, lines[3])

    def test_a_short_run_on_a_busy_machine_is_called_that(self):
        line = self.lines(machine={"short": True, "load_before": [5, 5, 5], "load_after": [6, 6, 6], "cores": 2})[4]
        self.assertIn("short run", line)
        self.assertIn("others used this machine", line)


class Values(unittest.TestCase):
    def test_ratios_are_of_like_and_like(self):
        found = values.collect(support.results(a=support.calls(raw_pointer=2.0, reloadable=2.2), b=support.reloads(100, 140, 2)))
        self.assertEqual(found["call_ratio_worst"], "1.10")
        self.assertEqual(found["reload/total:p99_ratio"], "1.40")
        self.assertEqual(found["call/reloadable/threads:2:ratio"], "1.10")
        self.assertEqual(found["call_ratio"], "1.10")
        self.assertEqual(found["reload_ratio"], "1.40")
        self.assertEqual(found["reload/total:p50_us"], "140 µs")


if __name__ == "__main__":
    unittest.main()
