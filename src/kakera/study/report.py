"""One self-contained HTML page: text, tables, pictures; nothing is fetched from elsewhere."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape

_STYLE = """
:root { color-scheme: light dark; --ink: #1b1b1f; --paper: #fff; --line: #d7d7de; --shade: 38, 92, 160; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e7e7ea; --paper: #17181b; --line: #3a3b42; --shade: 110, 165, 235; }
}
body { font: 16px/1.55 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  max-width: 60rem; margin: 2.5rem auto; padding: 0 1rem; }
h1 { font-weight: 600; } h2 { margin-top: 2.5rem; font-weight: 600; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .35rem .7rem; border-bottom: 1px solid var(--line); text-align: right; }
th:first-child, td:first-child { text-align: left; }
.confusion td { background: rgba(var(--shade), var(--share)); }
img { max-width: 100%; image-rendering: pixelated; background: #fff; }
figure { margin: 1rem 0; } figcaption, .note { opacity: .75; font-size: .92em; }
pre { padding: .8rem 1rem; border: 1px solid var(--line); border-radius: .4rem; overflow-x: auto; }
.wide { overflow-x: auto; }
"""


def page(title: str, *parts: str) -> str:
    """The whole document."""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>\n"
        f"<body><h1>{escape(title)}</h1>\n" + "\n".join(parts) + "\n</body></html>\n"
    )


def heading(text: str) -> str:
    """The title of a section."""
    return f"<h2>{escape(text)}</h2>"


def paragraph(text: str) -> str:
    """Plain text."""
    return f"<p>{escape(text)}</p>"


def code(text: str) -> str:
    """Commands to copy."""
    return f"<pre><code>{escape(text)}</code></pre>"


def picture(png: bytes, *, caption: str) -> str:
    """A picture inside the page."""
    data = base64.b64encode(png).decode()
    return (
        f'<figure><img alt="{escape(caption)}" src="data:image/png;base64,{data}">'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )


def drawing(svg: bytes, *, caption: str) -> str:
    """A drawing inside the page, sharp at any size."""
    data = base64.b64encode(svg).decode()
    return (
        f'<figure><img alt="{escape(caption)}" src="data:image/svg+xml;base64,{data}">'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )


def table(rows: Sequence[Sequence[str]]) -> str:
    """Rows of text, the header first."""
    header, *body = rows
    lines = _row(header, "th") + "".join(_row(row, "td") for row in body)
    return f'<div class="wide"><table>{lines}</table></div>'


def confusion(counts: Sequence[Sequence[int]], classes: Sequence[str]) -> str:
    """Rows are the truth, columns the guesses; the darker a cell, the larger its share of its row."""
    lines = [_row(["truth \\ guess", *classes], "th")]
    for name, row in zip(classes, counts, strict=True):
        total = max(sum(row), 1)
        cells = "".join(f'<td style="--share: {0.85 * count / total:.3f}">{count}</td>' for count in row)
        lines.append(f"<tr><th>{escape(name)}</th>{cells}</tr>")
    return f'<div class="wide"><table class="confusion">{"".join(lines)}</table></div>'


def _row(cells: Sequence[str], kind: str) -> str:
    return "<tr>" + "".join(f"<{kind}>{escape(cell)}</{kind}>" for cell in cells) + "</tr>"
