"""docs/speed.md, and the README's numbers on speed, from what `kakera bench` and `equal_time.py` wrote.

make speed                    # measures, then writes both
python -m benchmarks.speed    # writes both again, from docs/bench.json, those beside it and equal-time.json
"""

import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
BENCH, EQUAL_TIME = ROOT / "docs" / "bench.json", ROOT / "docs" / "equal-time.json"
WITHOUT_AVX512, ON_GPU = ROOT / "docs" / "bench-avx2.json", ROOT / "docs" / "bench-gpu.json"
PAGE, README = ROOT / "docs" / "speed.md", ROOT / "README.md"
BEGIN, END = "<!-- speed: written by benchmarks/speed.py -->", "<!-- speed ends -->"

# What the README says: the case, whose ratio, what it is to, and how it is told.
SUMMARY = (
    ("mae-step", "kakera", "transformers", "a step of pretraining, ViT-B/16, is {} as fast as transformers'"),
    ("mae-step", "kakera, fast decoder", "transformers", "with `--decoder cross --predicted 0.25` {}"),
    ("mae-step-tiny", "kakera", "transformers", "a step of pretraining, ViT-Ti/4, {} transformers'"),
    ("inference-16", "kakera", "the fastest", "scores of ViT-B/16, 16 at a time, {} the fastest other's"),
    ("inference-16", "kakera, int8", "the fastest", "in int8 {} the fastest other in float32"),
    ("loader", "kakera", "MAE recipe in Pillow", "from JPEG files to batches, {} the MAE recipe in Pillow"),
    ("loader", "kakera, shards of pixels", "MAE recipe in Pillow", "from packed shards {}"),
    ("log-mel", "kakera", "transformers", "log-mel spectrograms, {} transformers' `ASTFeatureExtractor`"),
    ("mae-memory", "kakera", "transformers", "peak memory of that step: transformers takes {} as much"),
)


def page(
    found: dict[str, Any],
    quality: dict[str, Any] | None = None,
    avx2: dict[str, Any] | None = None,
    gpu: dict[str, Any] | None = None,
) -> str:
    """docs/speed.md."""
    here = found["machine"]
    lines = [
        "# How fast",
        "",
        f"{here['processor']}, {here['cores']} cores, {here['threads']} threads for everyone; "
        f"Python {here['python']}, torch {here['torch']}; {here['day']}.",
        "Every number is in [bench.json](bench.json).",
        "",
        "The contenders of a case take turns in one process, after one turn that does not count; every other",
        "round runs backwards. Rates are medians over the rounds. A ratio is taken within each round: the",
        "median, and in brackets the lowest and the highest. Above 1, kakera is faster, or takes less.",
        "All train with the same fused AdamW, transformers with its `sdpa` attention; all is float32, but",
        "where int8 is named. The runtimes are given graphs that `kakera convert --to onnx` writes.",
        "vit-pytorch's autoencoder has no class token: one token less in every layer.",
        "",
        f"Matrix products reach {found['flops_per_second'] / 1e9:.0f} GFLOP/s here (float32, 2 048 × 2 048,",
        "the best of a second). The share of that limit is pictures/s × operations of a picture / limit.",
        "",
        "```",
        "make speed        # measures all of it, which takes a quarter of an hour, and writes this page",
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
    """All cases, each under its name."""
    lines: list[str] = []
    for name, case in found["cases"].items():
        lines += ["", title.format(name), "", *section(case)]
    return lines


def section(case: dict[str, Any]) -> list[str]:
    """A case: what it is, and a row for each contender."""
    ours = list(case["ratios"])
    lines = [
        f"{case['says'][0].upper()}{case['says'][1:]}; {case['rounds']} rounds.",
        "",
        f"| | {case['unit']} | {' | '.join(f'{name}, to it' for name in ours)} |",
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
    """What the networks do on an older kind of processor."""
    here = found["machine"]
    lines = [
        "## Without AVX-512",
        "",
        f"{here['processor']} ({here['instructions']}), {here['cores']} cores, {here['threads']} threads; "
        f"torch {here['torch']}; {here['day']}. Every number is in",
        "[bench-avx2.json](bench-avx2.json). PyTorch has MKL alone for products here, which reaches",
        f"{found['flops_per_second'] / 1e9:.0f} GFLOP/s.",
        "",
        "```",
        f"kakera bench {' '.join(found['cases'])} --out docs/bench-avx2.json",
        "```",
    ]
    return lines + sections(found, "### {}, without AVX-512")


def on_gpu(found: dict[str, Any]) -> list[str]:
    """Steps of training on one GPU."""
    here = found["machine"]
    lines = [
        "## On a GPU",
        "",
        f"One {here['gpu']}, CUDA {here['cuda']}, torch {here['torch']}, Python {here['python']}; "
        f"{here['day']}. Every number is in [bench-gpu.json](bench-gpu.json).",
        "",
        "All compute in bf16 by autocast, with the same fused AdamW. kakera's layers are compiled, as in",
        "training; transformers takes part as it is and compiled as a whole. A turn is ten steps, and",
        "pictures lie on the GPU. Products in bf16 reach "
        f"{found['flops_per_second'] / 1e12:.0f} TFLOP/s here (8 192 × 8 192, the best of a second).",
        "",
        "```",
        "kakera bench --device cuda --out docs/bench-gpu.json",
        "```",
    ]
    return lines + sections(found, "### {}, on a GPU")


def spread(ratio: list[float] | None) -> str:
    return "" if ratio is None else f"{ratio[0]:.2f} × ({ratio[1]:.2f}–{ratio[2]:.2f})"


def equal_time(found: dict[str, Any]) -> list[str]:
    """What the fast decoder costs in accuracy, at the same seconds."""
    lines = [
        "## Accuracy at equal wall clock",
        "",
        f"{found['data']}, recipe `{found['recipe']}`, moved by {found.get('optimizer', 'adamw')}: "
        f"{found['seconds']:.0f} seconds of pretraining for either",
        f"decoder, then fine-tuning; test accuracy in per cent, the mean of {found['seeds']} seeds, and of",
        "the paired differences the 95 % interval ([equal-time.json](equal-time.json),",
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
    found: dict[str, Any], avx2: dict[str, Any] | None = None, gpu: dict[str, Any] | None = None
) -> str:
    """The README's section."""
    here, told = found["machine"], []
    for name, ours, to, text in SUMMARY:
        ratios = found["cases"].get(name, {}).get("ratios", {}).get(ours, {})
        peer = fastest(found["cases"][name]) if to == "the fastest" and ratios else to
        if peer in ratios:
            told.append(f"- {text.format(f'**{ratios[peer][0]:.1f} ×**')}")
    if avx2 is not None:
        ratios = avx2["cases"]["mae-step"]["ratios"]
        plain, fast = (
            f"**{ratios[name]['transformers'][0]:.1f} ×**" for name in ("kakera", "kakera, fast decoder")
        )
        told.append(
            f"- on a processor without AVX-512 ({avx2['machine']['day']}), a step of pretraining, ViT-B/16, "
            f"is {plain} as fast as transformers', {fast} with the fast decoder"
        )
    if gpu is not None:
        ratios = gpu["cases"]["mae-step"]["ratios"]["kakera"]
        plain, compiled = (
            f"**{ratios[name][0]:.1f} ×**" for name in ("transformers", "transformers, compiled")
        )
        told.append(
            f"- on one {gpu['machine']['gpu']} ({gpu['machine']['day']}), a step of pretraining in bf16, "
            f"ViT-B/16, is {plain} as fast as transformers', {compiled} as fast as that compiled"
        )
    title = f"Beside other libraries, in turns, on {here['threads']} threads of one machine ({here['day']}):"
    return "\n".join(
        ["## How fast", "", title, "", *told, "", "All of it: [docs/speed.md](docs/speed.md).", ""]
    )


def fastest(case: dict[str, Any]) -> str:
    """The other contender with the best result."""
    others = {name: result for name, result in case["results"].items() if not name.startswith("kakera")}
    return max(others, key=others.__getitem__, default="")


def with_summary(readme: str, text: str) -> str:
    """The README with this between its two marks."""
    before, _, rest = readme.partition(BEGIN)
    return f"{before}{BEGIN}\n{text}{END}{rest.partition(END)[2]}"


def main() -> int:
    found = json.loads(BENCH.read_text())
    if found["quick"]:
        print(f"{BENCH}: got the smallest sizes, expected the real ones; run make speed", file=sys.stderr)
        return 2
    quality, avx2, gpu = (
        json.loads(path.read_text()) if path.exists() else None
        for path in (EQUAL_TIME, WITHOUT_AVX512, ON_GPU)
    )
    PAGE.write_text(page(found, quality, avx2, gpu))
    README.write_text(with_summary(README.read_text(), summary(found, avx2, gpu)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
