"""Tables for notebooks: plain HTML, every text escaped, nothing loaded from anywhere."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence


def html_text(value: object) -> str:
    """Return a value as HTML text; signs that steer or turn the writing direction are replaced.

    >>> html_text("<b>\\u202e"), html_text(None), html_text(4096), html_text(1.5)
    ('&lt;b&gt;?', '', '4,096', '1.500')
    """
    if value is None:
        return ""
    if isinstance(value, float):
        value = f"{value:.3f}"
    elif isinstance(value, int) and not isinstance(value, bool):
        value = f"{value:,}"
    return html.escape("".join(sign if sign.isprintable() else "?" for sign in str(value)))


def html_table(caption: str, titles: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a table; without titles the first cell of each row is its title."""
    head = "".join(f"<th>{html_text(title)}</th>" for title in titles)
    lines = [f"<tr>{head}</tr>"] if head else []
    for row in rows:
        cells = [f"<td>{html_text(cell)}</td>" for cell in row]
        if not head:
            cells[0] = f"<th>{html_text(row[0])}</th>"
        lines.append(f"<tr>{''.join(cells)}</tr>")
    return f"<table><caption>{html_text(caption)}</caption>{''.join(lines)}</table>"
