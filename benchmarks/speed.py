"""Write docs/speed.md and the section on speed in the README from the results of `kakera bench`.

make speed                    # measure, then write both
python -m benchmarks.speed    # write both again from docs/bench*.json, equal-time.json, time-to-accuracy.json
"""

import json
import sys
from pathlib import Path
from typing import Any

from kakera.bench.time_to_accuracy.curves import crossing
from kakera.bench.time_to_accuracy.table import curves, label_counts

ROOT = Path(__file__).parents[1]
BENCH, EQUAL_TIME = ROOT / "docs" / "bench.json", ROOT / "docs" / "equal-time.json"
WITHOUT_AVX512, ON_GPU = ROOT / "docs" / "bench-avx2.json", ROOT / "docs" / "bench-gpu.json"
REACHED = ROOT / "docs" / "time-to-accuracy.json"
PAGE, README = ROOT / "docs" / "speed.md", ROOT / "README.md"
BEGIN, END = "<!-- speed: written by benchmarks/speed.py -->", "<!-- speed ends -->"

# Lines of the README: the case, the contender, the library that it is compared with, and the text.
SUMMARY = (
    (
        "inference-16",
        "kakera",
        "the fastest",
        "inference with ViT-B/16, batch 16, {} as fast as the fastest other",
    ),
    ("inference-16", "kakera, int8", "the fastest", "in int8 {} as fast as the fastest other in float32"),
    (
        "loader",
        "kakera",
        "MAE recipe in Pillow",
        "JPEG files to batches, {} as fast as the MAE recipe in Pillow",
    ),
    ("loader", "kakera, shards of pixels", "MAE recipe in Pillow", "from packed shards {}"),
    (
        "log-mel",
        "kakera",
        "transformers",
        "log-mel spectrograms, {} as fast as `ASTFeatureExtractor` of transformers",
    ),
    (
        "mae-memory",
        "kakera",
        "transformers",
        "peak memory of a pretraining step, ViT-B/16: transformers needs {} as much",
    ),
)


def page(
    found: dict[str, Any],
    quality: dict[str, Any] | None = None,
    avx2: dict[str, Any] | None = None,
    gpu: dict[str, Any] | None = None,
) -> str:
    """Return the text of docs/speed.md."""
    here = found["machine"]
    lines = [
        "# Speed",
        "",
        f"{here['processor']}, {here['cores']} cores, {here['threads']} threads for all libraries; "
        f"Python {here['python']}, torch {here['torch']}; {here['day']}.",
        "Every number is in [bench.json](bench.json).",
        "",
        "The contenders of a case take turns in one process, after one turn that does not count. Every",
        "second round has the reverse order. Rates are medians over the rounds. Ratios are computed within",
        "a round: the table shows the median, and in brackets the lowest and the highest. Above 1, kakera is",
        "faster, or needs less memory. All libraries train with the same fused AdamW, transformers with its",
        "`sdpa` attention. All values are float32, except int8 contenders. The runtimes use graphs of",
        "`kakera convert --to onnx`. The autoencoder of vit-pytorch has no class token, so each of its",
        "layers has one token less.",
        "",
        f"Matrix products reach {found['flops_per_second'] / 1e9:.0f} GFLOP/s here (float32, 2 048 × 2 048,",
        "the best rate of a second). The share of that limit is pictures/s × FLOPs of a picture / limit.",
        "",
        "```",
        "make speed        # measure everything (a quarter of an hour) and write this page",
        "kakera bench loader log-mel --rounds 3",
        "```",
    ]
    lines += sections(found, "## {}")
    if quality is not None:
        lines += ["", *equal_time(quality)]
    if avx2 is not None:
        lines += ["", *without_avx512(avx2)]
    if gpu is not None:
        lines += ["", *on_gpu(gpu)]
    return "\n".join(lines) + "\n"


def sections(found: dict[str, Any], title: str) -> list[str]:
    """Return the sections of all cases, each under its name."""
    lines: list[str] = []
    for name, case in found["cases"].items():
        lines += ["", title.format(name), "", *section(case)]
    return lines


def section(case: dict[str, Any]) -> list[str]:
    """Return the section of a case: its title, and a row for each contender."""
    ours = list(case["ratios"])
    lines = [
        f"{case['says'][0].upper()}{case['says'][1:]}; {case['rounds']} rounds.",
        "",
        f"| | {case['unit']} | {' | '.join(f'ratio of {name}' for name in ours)} |",
        f"|---|---|{'---|' * len(ours)}",
    ]
    for who, result in case["results"].items():
        ratios = [spread(case["ratios"][name].get(who)) for name in ours]
        lines.append(f"| {who} | {result:.2f} | {' | '.join(ratios)} |")
    if "share_of_limit" in case:
        lines += ["", f"kakera reaches {case['share_of_limit']:.0%} of the limit."]
    if case["absent"]:
        lines += ["", f"Not installed: {', '.join(case['absent'])}."]
    return lines


def without_avx512(found: dict[str, Any]) -> list[str]:
    """Return the section on a processor without AVX-512."""
    here = found["machine"]
    lines = [
        "## Without AVX-512",
        "",
        f"{here['processor']} ({here['instructions']}), {here['cores']} cores, {here['threads']} threads; "
        f"torch {here['torch']}; {here['day']}. Every number is in",
        "[bench-avx2.json](bench-avx2.json). PyTorch uses only MKL for matrix products here, which reaches",
        f"{found['flops_per_second'] / 1e9:.0f} GFLOP/s.",
        "",
        "```",
        f"kakera bench {' '.join(found['cases'])} --out docs/bench-avx2.json",
        "```",
    ]
    return lines + sections(found, "### {}, without AVX-512")


def on_gpu(found: dict[str, Any]) -> list[str]:
    """Return the section on training steps on one GPU."""
    here = found["machine"]
    lines = [
        "## On a GPU",
        "",
        f"One {here['gpu']}, CUDA {here['cuda']}, torch {here['torch']}, Python {here['python']}; "
        f"{here['day']}. Every number is in [bench-gpu.json](bench-gpu.json).",
        "",
        "All libraries compute in bf16 by autocast, with the same fused AdamW. The layers of kakera are",
        "compiled, as in training; transformers runs without compilation and compiled as a whole. A turn is",
        "ten steps, and the pictures are on the GPU. Products in bf16 reach "
        f"{found['flops_per_second'] / 1e12:.0f} TFLOP/s here (8 192 × 8 192, the best rate of a second).",
        "",
        "```",
        "kakera bench --device cuda --out docs/bench-gpu.json",
        "```",
    ]
    return lines + sections(found, "### {}, on a GPU")


def spread(ratio: list[float] | None) -> str:
    return "" if ratio is None else f"{ratio[0]:.2f} × ({ratio[1]:.2f}–{ratio[2]:.2f})"


def equal_time(found: dict[str, Any]) -> list[str]:
    """Return the section on the accuracy of the fast decoder after the same time of pretraining."""
    lines = [
        "## Accuracy at equal wall clock",
        "",
        f"{found['data']}, recipe `{found['recipe']}`, optimiser {found.get('optimizer', 'adamw')}: "
        f"{found['seconds']:.0f} seconds of pretraining with each",
        f"decoder, then fine-tuning. Test accuracy in per cent, mean of {found['seeds']} seeds, and the",
        "paired difference with its 95 % interval ([equal-time.json](equal-time.json),",
        "`benchmarks/equal_time.py`).",
        "",
        "| labels | plain decoder | cross decoder, a quarter predicted | difference |",
        "|---|---|---|---|",
    ]
    for labels, row in found["labels"].items():
        low, high = row["interval"]
        lines.append(
            f"| {labels} | {row['plain']['mean']:.1f} | {row['cross']['mean']:.1f} "
            f"| {row['difference']:+.1f} ({low:+.1f} to {high:+.1f}) |"
        )
    return lines


def summary(
    found: dict[str, Any], reached: dict[str, Any] | None = None, gpu: dict[str, Any] | None = None
) -> str:
    """Return the section of the README."""
    here, lines = found["machine"], times(reached) if reached is not None else []
    for name, ours, to, text in SUMMARY:
        ratios = found["cases"].get(name, {}).get("ratios", {}).get(ours, {})
        peer = fastest(found["cases"][name]) if to == "the fastest" and ratios else to
        if peer in ratios:
            lines.append(f"- {text.format(f'**{ratios[peer][0]:.1f} ×**')}")
    if gpu is not None:
        ratios = gpu["cases"]["mae-step"]["ratios"]["kakera"]
        plain, compiled = (
            f"**{ratios[name][0]:.1f} ×**" for name in ("transformers", "transformers, compiled")
        )
        lines.append(
            f"- a pretraining step in bf16, ViT-B/16, on one {gpu['machine']['gpu']} "
            f"({gpu['machine']['day']}), {plain} as fast as transformers, {compiled} as fast as transformers "
            "compiled"
        )
    title = f"Compared with other libraries on {here['threads']} threads of one machine ({here['day']}):"
    return "\n".join(
        [
            "## Speed",
            "",
            title,
            "",
            *lines,
            "",
            "All results: [docs/speed.md](docs/speed.md), and [time to the same accuracy]"
            "(docs/time-to-accuracy.md).",
            "",
        ]
    )


def times(found: dict[str, Any]) -> list[str]:
    """Return a line for each data set: how much less processor time kakera needs for the same accuracy.

    The ratio is the smallest over the numbers of labels.
    """
    lines: list[str] = []
    for setting in found["settings"]:
        pairs = [
            crossing(each["kakera"], each["transformers"])
            for labels in label_counts(found, setting)
            if {"kakera", "transformers"} <= (each := curves(found, setting, labels)).keys()
        ]
        ratios = [pair.ratio for pair in pairs if pair.ratio is not None]
        if pairs and len(ratios) == len(pairs):
            name, day = Path(setting["data"]).stem, found["machine"]["day"]
            lines.append(
                f"- to the accuracy that transformers' autoencoder reaches in {pairs[0].peer_seconds:.0f} s "
                f"of one core, {name} ({day}), **{min(ratios):.1f} ×** less processor time"
            )
    return lines


def fastest(case: dict[str, Any]) -> str:
    """Return the other library with the best result."""
    others = {name: result for name, result in case["results"].items() if not name.startswith("kakera")}
    return max(others, key=others.__getitem__, default="")


def with_summary(readme: str, text: str) -> str:
    """Return the README with `text` between its two marks."""
    before, _, rest = readme.partition(BEGIN)
    return f"{before}{BEGIN}\n{text}{END}{rest.partition(END)[2]}"


def main() -> int:
    found = json.loads(BENCH.read_text())
    if found["quick"]:
        print(f"{BENCH}: got results of --quick, expected real sizes; run make speed", file=sys.stderr)
        return 2
    quality, avx2, gpu, reached = (
        json.loads(path.read_text()) if path.exists() else None
        for path in (EQUAL_TIME, WITHOUT_AVX512, ON_GPU, REACHED)
    )
    PAGE.write_text(page(found, quality, avx2, gpu))
    README.write_text(with_summary(README.read_text(), summary(found, reached, gpu)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
