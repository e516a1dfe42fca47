"""Building blocks of a self-contained HTML page: text, tables, pictures. The page loads no other files."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Literal

_STYLE = """
:root { color-scheme: light dark; --ink: #1b1b1f; --paper: #fff; --line: #d7d7de; --shade: 38, 92, 160;
  --good: #1a7f37; --doubt: #9a6700; --bad: #b42318; --tint: #f5f5f8;
  --c0: #0068a8; --c1: #c44d00; --c2: #00795a; --c3: #a3487a; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e7e7ea; --paper: #17181b; --line: #3a3b42; --shade: 110, 165, 235;
    --good: #4ac26b; --doubt: #d4a72c; --bad: #ff8a80; --tint: #202127;
    --c0: #6cb6ff; --c1: #f69d50; --c2: #57d0a8; --c3: #e39fc8; }
}
body { font: 16px/1.55 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  max-width: 60rem; margin: 2.5rem auto; padding: 0 1rem; overflow-wrap: break-word; }
h1 { font-weight: 600; } h2 { margin-top: 2.5rem; font-weight: 600; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .35rem .7rem; border-bottom: 1px solid var(--line); text-align: right; }
th:first-child, td:first-child { text-align: left; }
.confusion td { background: rgba(var(--shade), var(--share)); }
.confusion td.deep { color: var(--paper); }
.confusion.many th:not(:first-child) { writing-mode: vertical-rl; text-align: left; padding: .5rem .1rem; }
.confusion.many td { padding: .3rem .45rem; }
img { max-width: 100%; image-rendering: pixelated; background: #fff; }
img[src^="data:image/jpeg"] { image-rendering: auto; }
figure { margin: 1rem 0; } figcaption, .note { opacity: .75; font-size: .92em; }
pre { padding: .8rem 1rem; border: 1px solid var(--line); border-radius: .4rem; overflow-x: auto; }
.wide { overflow-x: auto; }
.verdict { font-size: 1.15em; padding: .8rem 1rem; border-left: .35rem solid; background: var(--tint);
  border-radius: .3rem; }
.good { border-color: var(--good); } .doubt { border-color: var(--doubt); } .bad { border-color: var(--bad); }
.warning { padding: .5rem 1rem; border-left: .35rem solid var(--doubt); background: var(--tint); }
.bars td:nth-child(2) { width: 45%; min-width: 8rem; }
.bar { display: block; height: .8rem; border-radius: .2rem; background: rgba(var(--shade), .35); }
.bars .own .bar { background: rgb(var(--shade)); } .bars .own { font-weight: 600; }
.gallery { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fill, minmax(9rem, 1fr)); }
.gallery + .gallery { margin-top: 1rem; }
.gallery.sounds { grid-template-columns: repeat(auto-fill, minmax(15rem, 1fr)); }
.card { border: 1px solid var(--line); border-radius: .4rem; padding: .6rem; font-size: .9em; }
.card img { display: block; width: 100%; height: 7.5rem; object-fit: contain; margin-bottom: .4rem;
  background: none; }
.card audio { width: 100%; height: 2.2rem; }
.card p { margin: 0; } .card .note { overflow-wrap: anywhere; font-size: .85em; }
svg.plot { width: 100%; max-width: 44rem; height: auto; display: block; font-size: 13px; }
svg.plot text { fill: currentColor; }
details { margin: 1rem 0; } summary { cursor: pointer; }
"""

LONGEST = 24  # longest class name in a confusion matrix, in characters

Level = Literal["good", "doubt", "bad"]


@dataclass(frozen=True)
class Card:
    """A card for one sample: `media` is HTML from `image` or `audio`; `title` and `note` are plain text.

    Example:

        >>> Card(image(b"", "a cat"), "cat.png", "cat, 98 %").title
        'cat.png'
    """

    media: str
    title: str
    note: str = ""


def page(title: str, *parts: str) -> str:
    """Return a complete HTML document with a title and the HTML of `parts`.

    Example:

        >>> page("Report", paragraph("Hello")).startswith("<!doctype html>")
        True
    """
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>\n"
        f"<body><h1>{escape(title)}</h1>\n" + "\n".join(parts) + "\n</body></html>\n"
    )


def heading(text: str) -> str:
    """Return the heading of a section.

    Example:

        >>> heading("Results")
        '<h2>Results</h2>'
    """
    return f"<h2>{escape(text)}</h2>"


def paragraph(text: str) -> str:
    """Return a paragraph of plain text; special characters are escaped.

    Example:

        >>> paragraph("a < b")
        '<p>a &lt; b</p>'
    """
    return f"<p>{escape(text)}</p>"


def note(text: str) -> str:
    """Return a paragraph in small print.

    Example:

        >>> note("3 files skipped")
        '<p class="note">3 files skipped</p>'
    """
    return f'<p class="note">{escape(text)}</p>'


def verdict(text: str, level: Level) -> str:
    """Return the first sentence of a page, coloured by its `level`: good, doubt or bad.

    Example:

        >>> verdict("The model has learned.", "good")
        '<p class="verdict good">The model has learned.</p>'
    """
    return f'<p class="verdict {level}">{escape(text)}</p>'


def warning(text: str) -> str:
    """Return a warning; `text` has no full stop at its end.

    Example:

        >>> warning("the test part is small")
        '<p class="warning">Warning: the test part is small.</p>'
    """
    return f'<p class="warning">Warning: {escape(text)}.</p>'


def items(texts: Sequence[str]) -> str:
    """Return a bullet list of texts.

    Example:

        >>> items(["one", "two"])
        '<ul><li>one</li><li>two</li></ul>'
    """
    return "<ul>" + "".join(f"<li>{escape(text)}</li>" for text in texts) + "</ul>"


def code(text: str) -> str:
    """Return a block of commands to copy.

    Example:

        >>> code("kakera demo")
        '<pre><code>kakera demo</code></pre>'
    """
    return f"<pre><code>{escape(text)}</code></pre>"


def details(summary: str, *parts: str) -> str:
    """Return a collapsed section with a summary line.

    Example:

        >>> details("More", "<p>text</p>")
        '<details><summary>More</summary><p>text</p></details>'
    """
    return f"<details><summary>{escape(summary)}</summary>{''.join(parts)}</details>"


def picture(png: bytes, *, caption: str, kind: str = "png") -> str:
    """Return a figure with a picture inside the page; `kind` is png or jpeg.

    Example:

        >>> picture(b"", caption="a cat").startswith("<figure><img")
        True
    """
    return f"<figure>{image(png, caption, kind)}<figcaption>{escape(caption)}</figcaption></figure>"


def drawing(svg: bytes, *, caption: str) -> str:
    """Return a figure with an SVG drawing as an image, sharp at any size.

    Example:

        >>> "image/svg+xml" in drawing(b"<svg/>", caption="a curve")
        True
    """
    return picture(svg, caption=caption, kind="svg+xml")


def figure(svg: str, *, caption: str) -> str:
    """Return a figure with an inline SVG, which uses the colours of the page.

    Example:

        >>> figure("<svg></svg>", caption="loss")
        '<figure><svg></svg><figcaption>loss</figcaption></figure>'
    """
    return f"<figure>{svg}<figcaption>{escape(caption)}</figcaption></figure>"


def image(content: bytes, alt: str, kind: str = "png") -> str:
    """Return an image tag with the bytes of an image; `kind` is png, jpeg or svg+xml.

    Example:

        >>> image(b"", "a cat")
        '<img alt="a cat" src="data:image/png;base64,">'
    """
    data = base64.b64encode(content).decode()
    return f'<img alt="{escape(alt)}" src="data:image/{kind};base64,{data}">'


def audio(wav: bytes) -> str:
    """Return an audio player for the bytes of a WAV file.

    Example:

        >>> audio(b"").startswith("<audio controls")
        True
    """
    data = base64.b64encode(wav).decode()
    return f'<audio controls preload="none" src="data:audio/wav;base64,{data}"></audio>'


def gallery(cards: Sequence[Card], *, sounds: bool = False) -> str:
    """Return cards side by side; `sounds` makes them wide enough for an audio player.

    Example:

        >>> gallery([Card("", "cat.png")]).count("card")
        1
    """
    inside = "".join(
        f'<div class="card">{card.media}<p>{escape(card.title)}</p>{note(card.note)}</div>' for card in cards
    )
    return f'<div class="gallery{" sounds" if sounds else ""}">{inside}</div>'


def table(rows: Sequence[Sequence[str]]) -> str:
    """Return a table from rows of text; the first row is the header.

    Example:

        >>> table([("name", "value"), ("a", "1")]).count("<td>")
        2
    """
    header, *body = rows
    lines = _row(header, "th") + "".join(_row(row, "td") for row in body)
    return f'<div class="wide"><table>{lines}</table></div>'


def bars(rows: Sequence[tuple[str, float, Sequence[str]]], header: Sequence[str], *, own: str) -> str:
    """Return a table whose rows have a name, a bar for a share (0 … 1), and cells of text.

    The row with the name `own` is highlighted.

    Example:

        >>> "width: 50.0%" in bars([("kakera", 0.5, ["50 %"])], ["model", "accuracy"], own="kakera")
        True
    """
    lines = [_row([header[0], "", *header[1:]], "th")]
    for name, share, cells in rows:
        bar = f'<span class="bar" style="width: {100 * min(max(share, 0.0), 1.0):.1f}%"></span>'
        texts = "".join(f"<td>{escape(cell)}</td>" for cell in cells)
        kind = ' class="own"' if name == own else ""
        lines.append(f"<tr{kind}><td>{escape(name)}</td><td>{bar}</td>{texts}</tr>")
    return f'<div class="wide"><table class="bars">{"".join(lines)}</table></div>'


def confusion(counts: Sequence[Sequence[int]], classes: Sequence[str]) -> str:
    """Return a confusion matrix: rows are true classes, columns are predictions.

    A darker cell has a larger share of its row.

    Example:

        >>> confusion([[5, 1], [0, 6]], ["cat", "dog"]).count("<td")
        4
    """
    lines = [_row(["true \\ predicted", *map(_short, classes)], "th")]
    for name, row in zip(classes, counts, strict=True):
        total = max(sum(row), 1)
        cells = "".join(_shaded(count, 0.85 * count / total) for count in row)
        lines.append(f"<tr><th>{escape(_short(name))}</th>{cells}</tr>")
    kind = "confusion many" if len(classes) > 6 else "confusion"
    return f'<div class="wide"><table class="{kind}">{"".join(lines)}</table></div>'


def _short(name: str) -> str:
    return name if len(name) <= LONGEST else name[: LONGEST - 1] + "…"


def _shaded(count: int, share: float) -> str:
    deep = ' class="deep"' if share > 0.5 else ""
    return f'<td{deep} style="--share: {share:.3f}">{count}</td>'


def _row(cells: Sequence[str], kind: str) -> str:
    return "<tr>" + "".join(f"<{kind}>{escape(cell)}</{kind}>" for cell in cells) + "</tr>"
