"""The results as lines of text: curves, and the ratios of times."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from kakera.bench.time_to_accuracy.curves import Crossing, Curve, crossing, curve

KEYS = ("data", "recipe", "shared", "draws")  # the fields of a setting


def curves(found: Mapping[str, Any], setting: Mapping[str, Any], labels: int) -> dict[str, Curve]:
    """Return the curve of each contender of one setting.

    A contender with several versions or options has one curve for each; later ones get a number.
    """
    groups: dict[str, list[Mapping[str, Any]]] = {}
    names: dict[str, str] = {}
    for point in found["points"]:
        if any(point[key] != setting[key] for key in KEYS):
            continue
        name, identity = point["contender"], str((point["contender"], point["words"], point["versions"]))
        same = [each for each in names.values() if each.partition(", build ")[0] == name]
        title = names.setdefault(identity, f"{name}, build {len(same) + 1}" if same else name)
        groups.setdefault(title, []).append(point)
    return {name: each for name, points in groups.items() if (each := curve(points, labels))}


def label_counts(found: Mapping[str, Any], setting: Mapping[str, Any]) -> list[int]:
    """Return the numbers of labels that were measured in a setting."""
    points = [point for point in found["points"] if all(point[key] == setting[key] for key in KEYS)]
    return sorted({int(count) for point in points for count in point["accuracies"]})


def pairs(each: Mapping[str, Curve]) -> Iterator[tuple[str, str, Crossing]]:
    """Yield (contender, peer, crossing) for each contender of kakera and each other one."""
    for ours in each:
        for peer in each:
            if ours.startswith("kakera") and peer != ours:
                yield ours, peer, crossing(each[ours], each[peer])


def sentence(found: Crossing) -> str:
    """Return a crossing in words.

    Example:

        >>> sentence(Crossing(70.0, 100.0, 20.0, ""))
        '20.0 s, 5.00 x'
    """
    return found.text if found.seconds is None else f"{found.seconds:.1f} s, {found.ratio:.2f} x"


def lines(found: Mapping[str, Any]) -> list[str]:
    """Return a table for each setting and each number of labels."""
    here = found["machine"]
    result = [f"{here['processor']}, one core, torch {here['torch']}, {here['day']}"]
    if found["quick"]:
        result.append("note: --quick uses the smallest sizes; ignore the results")
    for setting in found["settings"]:
        for labels in label_counts(found, setting):
            result += _section(setting, labels, curves(found, setting, labels))
    return result


def _section(setting: Mapping[str, Any], labels: int, each: Mapping[str, Curve]) -> list[str]:
    shared = "".join(f", {name} {value}" for name, value in setting["shared"].items())
    result = [f"{setting['data']}, recipe {setting['recipe']}{shared}, {labels} labels"]
    for name, points in each.items():
        result.append(f"  {name:24} " + "  ".join(_point(point) for point in points))
    for ours, peer, found in pairs(each):
        best = f"{found.accuracy:.2f} % of {peer} ({found.peer_seconds:.1f} s)"
        result.append(f"  {ours} reaches {best}: {sentence(found)}")
    return result


def _point(point: Sequence[float]) -> str:
    return f"{point[0]:.1f} s {point[1]:.2f} %"
