# SPDX-License-Identifier: MIT
# quoting: numbers in texts, put there and checked by a program.
"""A text writes `<!-- value NAME -->anything<!-- /value -->`; what stands between is replaced by the value of that
name. In a code block, where a comment would be shown, numbers can't be quoted."""

import re

_MARK = re.compile(r"(<!-- value (?P<name>\S+) -->)(?P<old>.*?)(<!-- /value -->)", re.DOTALL)
_OPENING = re.compile(r"<!--\s*value\b")


def quote(text, values):
    """The text with all values filled in, and what is wrong with it: a list of sentences."""
    wrong = []

    def put(found):
        name = found["name"]
        if name not in values:
            wrong.append(f"there is no value named {name}")
            return found[0]
        if found["old"] != values[name]:
            wrong.append(f"{name} is {values[name]}, the text says {found['old'] or 'nothing'}")
        return found[1] + values[name] + found[4]

    filled = _MARK.sub(put, text)
    marks, openings = len(_MARK.findall(text)), len(_OPENING.findall(text))
    if marks != openings:
        wrong.append(f"{openings - marks} of {openings} markers are not of the form <!-- value NAME -->…<!-- /value -->")
    return filled, wrong


def missing(text, values):
    """The names that the text asks for and the values lack."""
    return [found["name"] for found in _MARK.finditer(text) if found["name"] not in values]
