# SPDX-License-Identifier: MIT
# html: writes a document as one page that needs nothing else, neither network nor script.

import html as escaping
import pathlib
import re

from . import theme
from .document import Bullets, Figure, Heading, Paragraph, Table


def _inline(text):
    text = escaping.escape(text, quote=False)
    text = re.sub(r"`([^`]+)`", r"<code>\1</code>", text)
    return re.sub(r"\*\*([^*]+)\*\*", r"<strong>\1</strong>", text)


def _cell(text):
    shown = _inline(text)
    if text == "met":
        return f'<span class="met">{shown}</span>'
    if text == "not met":
        return f'<span class="not-met">{shown}</span>'
    # A long name may break where it has a slash, so that no table is wider than the page.
    return re.sub(r"<code>(.*?)</code>", lambda found: "<code>" + re.sub(r"([/_])", r"\1<wbr>", found[1]) + "</code>", shown)


def _table(table):
    titles = table.titles()
    kind = ["text" if table.is_text(i) else "number" for i in range(len(titles))]
    head = "".join(f'<th scope="col" class="{kind[i]}">{_inline(title)}</th>' for i, title in enumerate(titles))
    body = []
    for row in table.rows:
        cells = [f'<th scope="row" class="{kind[0]}">{_cell(row[0])}</th>']
        cells += [f'<td class="{kind[i]}{" long" if len(text) > 40 else ""}" data-title="{escaping.escape(titles[i])}">'
                  f"<span>{_cell(text)}</span></td>" for i, text in enumerate(row) if i > 0]
        body.append("<tr>" + "".join(cells) + "</tr>")
    caption = f"<caption>{_inline(table.caption)}</caption>" if table.caption else ""
    shape = "cards" if len(titles) > 3 or any(len(text) > 80 for row in table.rows for text in row) else "plain"
    return f'<table class="{shape}">{caption}<thead><tr>{head}</tr></thead>\n<tbody>\n' + "\n".join(body) + "\n</tbody></table>"


def _figure(figure):
    label = escaping.escape(figure.description)
    drawings = "".join(
        re.sub(r"<svg ", f'<svg class="{shape}" role="img" aria-label="{label}" ', svg, count=1)
        for shape, svg in (("wide", figure.wide), ("narrow", figure.narrow)))
    return f'<figure id="{figure.name}">{drawings}<figcaption>{_inline(figure.caption)}</figcaption></figure>'


def _block(block):
    if isinstance(block, Heading):
        return f'<h{block.level} id="{block.anchor}">{_inline(block.text)}</h{block.level}>'
    if isinstance(block, Paragraph):
        return f'<p class="{block.kind}">{_inline(block.text)}</p>' if block.kind else f"<p>{_inline(block.text)}</p>"
    if isinstance(block, Bullets):
        tag = "ol" if block.numbered else "ul"
        return f"<{tag}>" + "".join(f"<li>{_inline(item)}</li>" for item in block.items) + f"</{tag}>"
    if isinstance(block, Table):
        return _table(block)
    if isinstance(block, Figure):
        return _figure(block)
    raise TypeError(block)


def render(document):
    style = theme.css(":root") + (pathlib.Path(__file__).parent / "page.css").read_text()
    contents = "".join(f'<li><a href="#{block.anchor}">{_inline(block.text)}</a></li>'
                       for block in document.blocks if isinstance(block, Heading) and block.level == 2)
    body = "\n".join(_block(block) for block in document.blocks)
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{escaping.escape(document.title)}</title>
<style>
{style}
</style>
</head>
<body>
<header><h1>{_inline(document.title)}</h1><p class="subtitle">{_inline(document.subtitle)}</p>
<nav aria-label="Contents"><ul>{contents}</ul></nav></header>
<main>
{body}
</main>
</body>
</html>
"""
