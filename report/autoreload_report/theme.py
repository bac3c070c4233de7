# SPDX-License-Identifier: MIT
# theme: the colours of the page and of its drawings, light and dark.
"""Drawings are made in stand-in colours, each of which becomes a CSS variable: one SVG then suits every theme."""

# name: (stand-in, light, dark)
COLOURS = {
    "ink": ("#010101", "#1b1f24", "#e6e8eb"),
    "muted": ("#020202", "#57606a", "#a3abb5"),
    "line": ("#030303", "#d5dae0", "#3a414b"),
    "paper": ("#040404", "#ffffff", "#15181c"),
    "panel": ("#050505", "#f5f7f9", "#1d2127"),
    "good": ("#060606", "#0b6b43", "#5fd39b"),
    "bad": ("#070707", "#a8290f", "#ff9b82"),
    "s1": ("#110001", "#0b62b5", "#62b0ff"),
    "s2": ("#110002", "#c2570c", "#ffab5e"),
    "s3": ("#110003", "#1a7f4b", "#5fd39b"),
    "s4": ("#110004", "#8a3ab9", "#d29bf5"),
    "s5": ("#110005", "#8c6d1f", "#e3c567"),
    "s6": ("#110006", "#b3325b", "#ff8fb1"),
    "s7": ("#110007", "#4d6a82", "#9fbdd6"),
    "s8": ("#110008", "#7a7f87", "#8b929c"),
}
SERIES = ["s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8"]


def stand_in(name):
    return COLOURS[name][0]


def variables(dark):
    return " ".join(f"--{name}: {values[2 if dark else 1]};" for name, values in COLOURS.items())


def css(selector):
    """The variables for a page or a drawing that stands alone. Paper is white."""
    return (f"{selector} {{ color-scheme: light dark; {variables(False)} }}\n"
            f"@media screen and (prefers-color-scheme: dark) {{ {selector} {{ {variables(True)} }} }}\n")


def with_variables(svg):
    for name, (colour, _, _) in COLOURS.items():
        svg = svg.replace(colour, f"var(--{name})")
    return svg


def standing_alone(svg):
    """The same drawing as a file of its own, which brings its colours along."""
    head, _, body = svg.partition(">")
    return f'{head}><style>{css("svg")} svg {{ background: var(--paper) }}</style>{body}'
