# SPDX-License-Identifier: MIT
# markdown: writes a document for those who read it where no page opens; drawings are files beside it.

from .document import Bullets, Figure, Heading, Paragraph, Table


def _cell(text):
    return text.replace("|", "\\|")


def _table(table):
    rules = [":--" if table.is_text(i) else "--:" for i in range(len(table.columns))]
    lines = [f"{table.caption}\n"] if table.caption else []
    for row in [table.titles(), rules, *table.rows]:
        lines.append("| " + " | ".join(_cell(cell) for cell in row) + " |")
    return "\n".join(lines)


def _block(block):
    if isinstance(block, Heading):
        return "#" * block.level + " " + block.text
    if isinstance(block, Paragraph):
        return f"> {block.text}" if block.kind == "warning" else block.text
    if isinstance(block, Bullets):
        return "\n".join((f"{i}. " if block.numbered else "- ") + item for i, item in enumerate(block.items, 1))
    if isinstance(block, Table):
        return _table(block)
    if isinstance(block, Figure):
        return f"![{block.description}](plots/{block.name}.svg)\n\n{block.caption}"
    raise TypeError(block)


def render(document):
    return "\n\n".join(["<!-- SPDX-License-Identifier: MIT -->", f"# {document.title}", document.subtitle, *map(_block, document.blocks)]) + "\n"
