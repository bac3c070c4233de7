# SPDX-License-Identifier: MIT
# document: the report as a list of blocks, which both writers (HTML, Markdown) render.
"""Texts may hold `code` and **bold**, nothing else."""

from dataclasses import dataclass, field


@dataclass
class Heading:
    level: int
    text: str

    @property
    def anchor(self):
        return "".join(c if c.isalnum() else "-" for c in self.text.lower()).strip("-")


@dataclass
class Paragraph:
    text: str
    kind: str = ""  # "note" for what a reader may skip, "warning" for what they must not


@dataclass
class Bullets:
    items: list
    numbered: bool = False


@dataclass
class Table:
    """columns: titles; a title that starts with "<" is of a text column, others are of numbers. rows: lists of texts."""
    columns: list
    rows: list
    caption: str = ""

    def titles(self):
        return [column.lstrip("<") for column in self.columns]

    def is_text(self, index):
        return self.columns[index].startswith("<")


@dataclass
class Figure:
    """One drawing in two shapes: for a page and for a narrow screen. Each is an SVG text that uses the page's colours."""
    name: str
    caption: str
    description: str
    wide: str
    narrow: str


@dataclass
class Document:
    title: str
    subtitle: str
    blocks: list = field(default_factory=list)

    def add(self, *blocks):
        self.blocks.extend(block for block in blocks if block is not None)
