"""The page of `kakera curate`: groups of copies, suspect labels, unusual files, overlaps and coverage."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from kakera.commands.curating.findings import CopyGroup
from kakera.commands.curating.summary import across_sentence, other_sentences, summary
from kakera.commands.pages.samples import media
from kakera.errors import UnreadableFileError
from kakera.reports import html

if TYPE_CHECKING:
    from kakera.commands.curate import Curation

GROUPS, MEMBERS, CARDS, SOUNDS = 12, 6, 24, 8  # most groups of each kind, files of a group, and cards
PAIRS, CLUSTERS = 10, 6  # most pairs of classes, and clusters without a test file


def curate_page(found: Curation) -> str:
    """Return the page as HTML. See `curate`."""
    across = [group for group in found.groups if group.across]
    opening = across_sentence(found)
    return html.page(
        f"kakera curate: {found.dataset.name}",
        html.verdict(f"{opening[0].upper()}{opening[1:]}.", "bad" if across else "good"),
        html.items(summary(found)[1:]),
        html.paragraph(f"All findings are in findings.csv. The tokens are {found.setup.pool} tokens."),
        *_copies(found, across, "Copies in two parts"),
        *_copies(found, [group for group in found.groups if not group.across], "Copies within a part"),
        *_labels(found),
        *_overlaps(found),
        *_unusual(found),
        *_coverage(found),
        *_unreadable(found),
        *_method(found),
    )


def _cards(found: Curation, rows: Sequence[int], titles: Sequence[str]) -> str:
    cards, most = list[html.Card](), CARDS if found.dataset.sounds is None else SOUNDS
    names = found.dataset.pictures
    for row, title in zip(rows[:most], titles[:most], strict=True):
        try:
            tags = media(found.dataset, row, found.setup.encoder.inputs)
        except UnreadableFileError as error:
            tags = html.note(error.reason)
        cards.append(html.Card(tags, title, names.name(row)))
    return html.gallery(cards, sounds=found.dataset.sounds is not None)


def _copies(found: Curation, groups: Sequence[CopyGroup], title: str) -> list[str]:
    if not groups:
        return []
    parts, split = [html.heading(title)], found.dataset.split
    for group in groups[:GROUPS]:
        rows, names = group.rows[:MEMBERS], list[str]()
        for place, row in enumerate(rows):
            kind = f"{group.kinds[place]}, {group.likeness[place]:.3f}" if place else "keep"
            label = f", {found.labels[row]}" if found.labels[row] else ""
            names.append(f"{kind}: {split[row]}{label}")
        parts.append(_cards(found, rows, names))
        if len(group.rows) > MEMBERS:
            parts.append(html.note(f"and {len(group.rows) - MEMBERS:,} more"))
    if len(groups) > GROUPS:
        parts.append(html.note(f"and {len(groups) - GROUPS:,} more groups, in findings.csv"))
    return parts


def _labels(found: Curation) -> list[str]:
    check = found.check
    if isinstance(check, str):
        return []
    suspects = check.suspects()
    if not suspects:
        return []
    classes, place = found.dataset.classes, {row: at for at, row in enumerate(check.rows.tolist())}
    titles = list[str]()
    for row, counted, _ in suspects[:CARDS]:
        likely = check.likely[place[row]]
        own = check.labels[place[row]]
        titles.append(
            f"{classes[own]} ({100 * likely[own]:.0f} %), perhaps {classes[counted]} "
            f"({100 * likely[counted]:.0f} %)"
        )
    text = (
        "A linear head predicts each file without it. A label is suspect if the probability of another class "
        "is at least as high as it is on average for files of that class. Most likely first."
    )
    return [
        html.heading("Suspect labels"),
        html.paragraph(text),
        _cards(found, [row for row, _, _ in suspects], titles),
        *_more(len(suspects), found),
    ]


def _more(count: int, found: Curation) -> list[str]:
    most = CARDS if found.dataset.sounds is None else SOUNDS
    return [html.note(f"and {count - most:,} more, in findings.csv")] if count > most else []


def _overlaps(found: Curation) -> list[str]:
    pairs = [] if isinstance(found.check, str) else found.check.overlaps()
    if not pairs:
        return []
    names = found.dataset.classes
    rows = [("classes", "files that are of the other class")]
    rows += [(f"{names[one]}, {names[other]}", f"{100 * share:.1f} %") for one, other, share in pairs[:PAIRS]]
    text = "The share is an estimate from the confident joint, of all files of both classes."
    return [html.heading("Classes that overlap"), html.table(rows), html.note(text)]


def _unusual(found: Curation) -> list[str]:
    if found.unusual is None or not found.unusual_rows:
        return []
    titles = [f"{found.unusual.scores[row]:.1f} deviations" for row in found.unusual_rows]
    text = (
        "The distance of the tokens from those of the other files, as a logarithm, in standard deviations "
        f"from the median. The limit is {found.unusual.limit:.1f}: if these values were normal, one file of "
        "this data set would be above it by chance."
    )
    return [
        html.heading("Unusual files"),
        html.paragraph(text),
        _cards(found, found.unusual_rows, titles),
        *_more(len(found.unusual_rows), found),
    ]


def _coverage(found: Curation) -> list[str]:
    cover = found.coverage
    if cover is None:
        return []
    sentence = next(line for line in other_sentences(found) if line.startswith("coverage: "))
    parts = [html.heading("Coverage of the test part"), html.paragraph(sentence.partition(": ")[2] + ".")]
    if cover.empty:
        parts.append(html.note("One training file of each cluster without a test file:"))
        rows = [_middle(found, cluster) for cluster in cover.empty[:CLUSTERS]]
        sizes = [f"{len(cluster):,} training files" for cluster in cover.empty[:CLUSTERS]]
        parts.append(_cards(found, rows, sizes))
    if cover.far:
        text = "Test files that are farther from all training files than 99 % of these from each other:"
        parts.append(html.note(text))
        parts.append(_cards(found, [*cover.far], [f"distance {value:.2f}" for value in cover.far.values()]))
        parts += _more(len(cover.far), found)
    return parts


def _middle(found: Curation, rows: NDArray[np.int64]) -> int:
    return int(rows[len(rows) // 2])


def _unreadable(found: Curation) -> list[str]:
    if not found.unreadable:
        return []
    rows = [("file", "reason"), *((error.path, error.reason) for error in found.unreadable[:CARDS])]
    return [html.heading("Unreadable files"), html.table(rows)]


def _method(found: Curation) -> list[str]:
    limits = [("kind", "likeness above"), ("exact", "same content")]
    limits += [(kind, f"{limit:.3f}") for kind, limit in found.copies.limits.items()]
    text = (
        "Pairs of files with similar tokens, and pairs where one file may be a part of the other, are "
        "compared by small pictures of 48 × 48 pixels (recordings: spectrograms): the likeness is the "
        f"correlation of their gradients. {found.copies.compared:,} pairs were compared. The limits are 5.5 "
        "standard deviations above the likeness of files that look alike but differ, their tenth neighbours "
        "(0.93 for fewer than 40 files)."
    )
    seconds = f"All of it took {found.seconds:.1f} s, without this page."
    return [
        html.heading("How copies are found"),
        html.paragraph(text),
        html.table(limits),
        html.note(seconds),
    ]
