"""Write docs/time-to-accuracy.md from the results of `kakera bench time-to-accuracy`.

kakera bench time-to-accuracy --out docs/time-to-accuracy.json
python -m benchmarks.time_to_accuracy
"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kakera.bench.time_to_accuracy.curves import Crossing, Curve
from kakera.bench.time_to_accuracy.table import curves, label_counts, pairs

ROOT = Path(__file__).parents[1]
FOUND, PAGE = ROOT / "docs" / "time-to-accuracy.json", ROOT / "docs" / "time-to-accuracy.md"


def page(found: Mapping[str, Any]) -> str:
    """Return the text of docs/time-to-accuracy.md."""
    here = found["machine"]
    lines = [
        "# Time to the same accuracy",
        "",
        "This page compares the processor time that kakera and other libraries need for equally good tokens.",
        "",
        f"{here['processor']} ({here['instructions']}), one core; Python {here['python']}, torch "
        f"{here['torch']}; {here['day']}. Every number is in",
        "[time-to-accuracy.json](time-to-accuracy.json).",
        "",
        "Each point is a finished pretraining without labels, in a process of its own with one thread. Its",
        "time is the processor time of that process, start-up included. The networks have equal shapes:",
        "encoder, decoder and patches. kakera runs `kakera pretrain` with its recipe; `kakera-old` is its",
        "build before the target for the whole picture. transformers hides three quarters of the patches.",
        "transformers runs `ViTMAEForPreTraining` with the recipe of the MAE paper: AdamW (betas 0.9 and",
        "0.95, weight decay 0.05 on matrices), warm-up and cosine, batches of 64, the crops and flips of",
        "kakera's recipe. Version 5.24 of transformers leaves the position tables of a new model at zero,",
        "so they are filled with sines and cosines. transformers gets its data ready-made: decoded",
        "pictures, or spectrograms of kakera's front end. That time counts for nobody. kakera reads,",
        "decodes and transforms the files itself, and that time counts for kakera.",
        "",
        "Then one function reads the frozen tokens of all networks: class token and mean of the patches",
        "after the final norm, ridge regression in closed form on a few labels, accuracy on the test part.",
        "The time of this reading does not count. Other programs ran on the second core, so a point may take",
        "longer than on a free machine. The draws of the labels are the same for all networks.",
        "",
        "A ratio is the time of the peer's best point divided by the time at which kakera reaches the same",
        "accuracy. Between two points, accuracy is read as linear in the logarithm of time. Outside of the",
        "measured points no time is given.",
        "",
        "```",
        "kakera bench time-to-accuracy --out docs/time-to-accuracy.json   # hours; resumes",
        "python -m benchmarks.time_to_accuracy                            # writes this page",
        "```",
    ]
    for setting in found["settings"]:
        if counts := label_counts(found, setting):
            lines += ["", *section(found, setting, counts)]
    return "\n".join(lines) + "\n"


def section(found: Mapping[str, Any], setting: Mapping[str, Any], counts: list[int]) -> list[str]:
    """Return the section of one data set: its network, then for each number of labels curves and ratios."""
    height, width = setting["input"]
    down, across = setting["patch"]
    lines = [
        f"## {title(setting)}",
        "",
        f"{setting['train']:,} {setting['kind']} for training, {setting['test']:,} for the test, "
        f"{setting['classes']} classes; input {height} x {width}, patches of {down} x {across}; "
        f"encoder {setting['depth']} layers of {setting['width']}, "
        f"decoder {setting['decoder'][1]} of {setting['decoder'][0]}. "
        "Reading and decoding all files once takes "
        f"{setting['reading_seconds']:.1f} processor seconds, which are in the times of kakera only.",
    ]
    for labels in counts:
        each = curves(found, setting, labels)
        lines += ["", f"### {labels:,} labels of {title(setting)}", "", *table(each)]
        ratios = [row(*pair) for pair in pairs(each)]
        if ratios:
            lines += ["", "| | accuracy of | its time | time to the same | ratio |", "|---|---|---|---|---|"]
            lines += ratios
    used = {json.dumps([point["contender"], point["words"]]) for point in found["points"] if point["words"]}
    for name, words in sorted(map(json.loads, used)):
        lines += ["", f"Options of {name}: `{' '.join(words)}`."]
    return lines


def title(setting: Mapping[str, Any]) -> str:
    """Return the name of a data set and the options that all contenders share."""
    shared = "".join(
        f", {name.replace('_', ' ')} {' x '.join(map(str, value)) if isinstance(value, list) else value}"
        for name, value in setting["shared"].items()
    )
    return f"{Path(setting['data']).name}{shared}"


def table(each: Mapping[str, Curve]) -> list[str]:
    """Return a table with a row for each point: seconds and accuracy of one contender."""
    lines = ["| | processor seconds | accuracy, % |", "|---|---|---|"]
    return lines + [
        f"| {name} | {seconds:.1f} | {accuracy:.2f} |"
        for name, points in each.items()
        for seconds, accuracy in points
    ]


def row(ours: str, peer: str, found: Crossing) -> str:
    """Return the row of a ratio."""
    known = found.seconds is not None
    time = f"{found.seconds:.1f} s" if known else found.text
    ratio = f"**{found.ratio:.2f} ×**" if known else ""
    return f"| {ours} | {peer}: {found.accuracy:.2f} % | {found.peer_seconds:.1f} s | {time} | {ratio} |"


def main() -> int:
    found = json.loads(FOUND.read_text())
    if found["quick"]:
        print(f"{FOUND}: got results of --quick, expected real sizes", file=sys.stderr)
        return 2
    PAGE.write_text(page(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
