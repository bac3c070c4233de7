# SPDX-License-Identifier: MIT
# test_page: both writers make whole documents, and drawings take the page's colours.

import re
import unittest
import xml.etree.ElementTree
from html.parser import HTMLParser

import support
from autoreload_report import html, markdown, theme
from autoreload_report.document import Bullets, Document, Figure, Heading, Paragraph, Table

try:
    from autoreload_report import plots, report
except ImportError:  # no matplotlib
    plots = report = None

EVERYTHING = {
    "machine": {"short": False, "started": "2024-01-01T00:00:00+00:00", "cores": 2, "load_before": [0, 0, 0],
                "load_after": [1, 1, 1], "programs": {"peers": {"state": "failed", "why": "status 1: no <library>"}}},
    "instructions": {"raw_pointer": 6, "reloadable": 15, "raw_dlsym_each_call": 700},
    "call_overhead": support.calls(raw_pointer=2.2, reloadable=2.4, shared_mutex=8, raw_dlsym_each_call=40)
    + [support.entry(f"call/{idiom}/storm/threads:{n}", cpu=time) for idiom, time in (("raw_pointer", 2.2), ("reloadable", 2.5))
       for n in (1, 2)],
    "reload_latency": support.reloads(100, 140, 2.5) + [support.entry("floor/dlopen", real=30, unit="us")],
    "scaling": support.axis("size", [(16384, 100), (1048576, 1000), (16777216, 15000)], snapshot_kb=lambda x: x / 1024,
                            snapshot_us=lambda x: x / 1200, bare_us=lambda x: 30)
    + support.axis("relocations", [(0, 100), (1000, 110), (100000, 1100)], resident_kb=lambda x: 16 + x / 40)
    + support.axis("watched", [(1, 150), (100, 150)], process_kb=lambda x: 5000 + 30 * x),
    "storm_histogram": {"series": [
        {"name": f"call/reloadable/{weather}", "label": "calls", "max_ns": slowest, "reloads": 7,
         "buckets": [[32, 900], [64, 99], [slowest - 10, 1]]}
        for weather, slowest in (("calm", 4096), ("busy", 5000), ("storm", 9000))]},
    "frame_histogram": {"series": [
        {"name": f"frame/{way}/{weather}", "label": label, "max_ns": slowest, "reloads": 20,
         "buckets": [[10000, 900], [20000, 99], [slowest - 10, 1]]}
        for way, weather, label, slowest in (("poll", "calm", "poll()", 90000), ("poll", "storm", "poll()", 400000),
                                             ("budget", "storm", "poll(100us)", 200000))]},
    "save": [support.entry(f"feel/{library}/gcc/bfd/{tool}", p50_us=time, p90_us=time * 1.2, notice_us=600, tool_us=9000,
                           compile_us=20000, link_us=12000, load_us=300, own_us=900, floor_us=time / 1.05, label=tool)
             for library, tool, time in (("demo", "ninja", 43000), ("demo", "direct", 38000), ("lua", "cmake", 267000))]
    + [support.entry("feel/demo/gcc/bfd/entr", p50_us=93000, p90_us=95000),
       {**support.entry("feel/demo/tcc/lld/make"), "error_occurred": True, "error_message": "could not be had"}],
    "other": [support.entry("guard/check", real=0.5, unit="ms", label="a & b")],
}


class Balanced(HTMLParser):
    """Fails on elements that are closed in another order than they were opened."""
    VOID = {"meta", "wbr"}

    def __init__(self, case):
        super().__init__()
        self.case, self.open, self.ids = case, [], []

    def handle_starttag(self, tag, attributes):
        self.ids += [value for key, value in attributes if key == "id"]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.ids += [value for key, value in attributes if key == "id"]

    def handle_endtag(self, tag):
        self.case.assertEqual(self.open.pop(), tag)


class Writers(unittest.TestCase):
    document = Document("A < B", "with `code`", [
        Heading(2, "One"), Paragraph("**bold** & <tag>"), Bullets(["a", "b"], numbered=True),
        Table(["<Name", "Value"], [["`x|y`", "1"], ["state", "not met"]], "a caption"),
        Figure("drawing", "caption", "what \"it\" shows", "<svg >w</svg>", "<svg >n</svg>")])

    def test_html_is_balanced_and_escaped(self):
        page = html.render(self.document)
        parser = Balanced(self)
        parser.feed(page)
        self.assertEqual(parser.open, [])
        self.assertIn("<strong>bold</strong> &amp; &lt;tag&gt;", page)
        self.assertIn('aria-label="what &quot;it&quot; shows"', page)
        self.assertIn('class="not-met"', page)

    def test_the_page_asks_for_nothing_from_anywhere(self):
        page = html.render(self.document)
        self.assertNotRegex(page, r"<(script|link|img|iframe)\b")
        self.assertNotRegex(page.replace("http://www.w3.org/", ""), r"https?://|@import|url\((?!#)")

    def test_markdown_has_the_same_content(self):
        page = markdown.render(self.document)
        self.assertIn("| Name | Value |\n| :-- | --: |\n| `x\\|y` | 1 |", page)
        self.assertIn("1. a\n2. b", page)
        self.assertIn("(plots/drawing.svg)", page)


@unittest.skipIf(plots is None, "python3-matplotlib is not installed")
class Report(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.document = report.build(support.results(**EVERYTHING))
        cls.page = html.render(cls.document)

    def test_is_a_balanced_page_without_an_id_twice(self):
        parser = Balanced(self)
        parser.feed(self.page)
        self.assertEqual(parser.open, [])
        self.assertEqual(sorted(set(parser.ids)), sorted(parser.ids))

    def test_drawings_are_whole_and_take_the_pages_colours(self):
        figures = [block for block in self.document.blocks if isinstance(block, Figure)]
        self.assertGreaterEqual({figure.name for figure in figures},
                                {"call-overhead", "call-threads", "reload-latency", "reload-stages", "growth", "memory", "storm", "frames", "feel-demo", "feel-lua"})
        for figure in figures:
            for svg in (figure.wide, figure.narrow, theme.standing_alone(figure.wide)):
                xml.etree.ElementTree.fromstring(svg)
                self.assertIn("var(--ink)", svg)
                self.assertIn("<text", svg)
                used = set(re.findall(r'(?:xlink:href="|url\()#([^")]+)', svg))
                self.assertLessEqual(used, set(re.findall(r'\bid="([^"]+)"', svg)))
                colours = set(re.findall(r"#[0-9a-f]{6}\b", svg.split("</style>")[-1]))
                self.assertLessEqual(colours, {"#000000", "#ffffff"}, f"{figure.name} has colours of its own")

    def test_every_row_is_somewhere_in_it(self):
        for name in support.results(**EVERYTHING).rows:
            first, *rest = name.split("/")
            if first == "call":
                self.assertIn(f"`{rest[0]}`", markdown.render(self.document))
            elif first != "scale":
                self.assertIn(f"`{name}`", markdown.render(self.document))

    def test_what_is_absent_is_said_with_its_reason(self):
        page = markdown.render(self.document)
        self.assertIn("Not in this report: `peers` is failed (status 1: no <library>)", page)
        self.assertIn("no &lt;library&gt;", self.page)

    def test_nothing_measured_makes_a_report_that_says_so(self):
        page = markdown.render(report.build(support.results(machine={"short": True})))
        self.assertGreaterEqual(page.count("Not in this report"), 4)
        self.assertIn("**short run**", page)

    def test_a_debug_benchmark_library_is_mentioned(self):
        self.assertIn("DEBUG build", self.page)


if __name__ == "__main__":
    unittest.main()
