"""The results of a curation in sentences, the most important one first."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from kakera.commands.curating.copies import CROPPED, EXCERPT, MOST
from kakera.commands.curating.unusual import LEAST

if TYPE_CHECKING:
    from kakera.commands.curate import Curation


def summary(found: Curation) -> list[str]:
    """Return one sentence for each kind of finding. See `curate`."""
    return [across_sentence(found), copies_sentence(found), *label_sentences(found), *other_sentences(found)]


def across_sentence(found: Curation) -> str:
    """Return a sentence about copies in several parts, which spoil an evaluation. See `curate`."""
    groups = [group for group in found.groups if group.across]
    if not groups:
        return "no copies in two parts"
    split = found.dataset.split
    held = sum(str(split[row]) != "train" for group in groups for row in group.rows)
    return (
        f"copies in two parts: {many(len(groups), 'group')} with {many(held, 'file')} of test or "
        "validation; they spoil the evaluation"
    )


def copies_sentence(found: Curation) -> str:
    """Return a sentence about all groups of copies. See `curate`."""
    if not found.groups:
        return "no copies"
    kinds = Counter(kind for group in found.groups for kind in group.kinds[1:])
    extra = sum(len(group.rows) - 1 for group in found.groups)
    words = ", ".join(f"{count:,} {kind}" for kind, count in kinds.most_common())
    return f"copies: {many(len(found.groups), 'group')}, {many(extra, 'file')} to drop ({words})"


def label_sentences(found: Curation) -> list[str]:
    """Return sentences about labels, or why they were not checked. See `curate`."""
    check = found.check
    conflicts = len({each.group for each in found.findings if each.kind == "conflict"})
    lines = [f"copies with different labels: {many(conflicts, 'group')}"] if conflicts else []
    if isinstance(check, str):
        return [*lines, f"labels were not checked: {check}"]
    suspects, overlaps = check.suspects(), check.overlaps()
    lines.append(
        f"suspect labels: {len(suspects):,} of {len(check.rows):,} (a head that did not see the file agrees "
        f"with {100 * check.accuracy:.1f} % of the labels)"
    )
    if overlaps:
        one, other, share = overlaps[0]
        names = found.dataset.classes
        lines.append(f"classes that overlap most: {names[one]} and {names[other]}, {100 * share:.1f} %")
    return lines


def other_sentences(found: Curation) -> list[str]:
    """Return sentences about unusual files, coverage and unreadable files. See `curate`."""
    lines = list[str]()
    if not {CROPPED, EXCERPT} & found.copies.limits.keys():
        lines.append(f"crops were not searched: more than {MOST:,} files")
    if found.unusual is None:
        lines.append(f"unusual files were not searched: fewer than {LEAST} files")
    else:
        above = int((found.unusual.scores > found.unusual.limit).sum())
        shown = len(found.unusual_rows)
        more = f", {shown:,} listed" if shown != above else ""
        lines.append(f"unusual files: {above:,}{more} (about 1 by chance, if distances are log-normal)")
    if found.coverage is not None:
        cover = found.coverage
        lines.append(
            f"coverage: {len(cover.empty)} of {many(cover.clusters, 'cluster')} of training files without a "
            f"test file ({cover.chance:.1f} by chance); {len(cover.far):,} of "
            f"{many(cover.test, 'test file')} far from all training files ({0.01 * cover.test:.0f} expected)"
        )
    if found.unreadable:
        lines.append(f"unreadable: {many(len(found.unreadable), 'file')}")
    return lines


def many(count: int, word: str, words: str = "") -> str:
    """Return a number with a word, or with `words` if the number is not 1.

    Example:

        >>> many(1, "copy", "copies"), many(2000, "file")
        ('1 copy', '2,000 files')
    """
    return f"{count:,} {word if count == 1 else words or word + 's'}"
