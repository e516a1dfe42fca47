"""Draw the docs' pictures of what models see, and print the table of lines.

python examples/explain_pictures.py MAE CLASSIFIER
"""

import argparse
import shutil
import sys
from pathlib import Path

from PIL import Image

import kakera
from kakera.explain import picture_lines
from kakera.formats.native import seeded_generator

DOCS = Path(__file__).parents[1] / "docs" / "pictures"
SAMPLE = 9  # of the demo's ten: the bag
OF_CLASSIFIER = ("summary", "heads", "similarity")
OF_ITS_MODEL = ("distances", "colours")
APART = (0, 1, 2, 3, 4, 8, 10, 14, 27)  # rows


def draw(autoencoder: str, classifier: str, folder: Path) -> None:
    """Explain the demo's pictures with both, and copy some of the figures to `folder`."""
    place = folder / "explained"
    try:
        names = kakera.explain_files(classifier, ["demo"], out=str(place)).written
        for figure in OF_CLASSIFIER:
            copy(place, names, f"{SAMPLE:02d}-", figure, folder)
        for figure in OF_ITS_MODEL:
            copy(place, names, "model-", figure, folder)
        names = kakera.explain_files(autoencoder, ["demo"], out=str(place)).written
        copy(place, names, f"{SAMPLE:02d}-", "reconstruction", folder)
        copy(place, names, "model-", "lines", folder)
    finally:
        shutil.rmtree(place, ignore_errors=True)


def copy(place: Path, names: tuple[str, ...], prefix: str, figure: str, folder: Path) -> None:
    """One figure, in at most 256 colours."""
    (name,) = (name for name in names if name.startswith(prefix) and name.endswith(f"-{figure}.png"))
    with Image.open(place / name) as image:
        image.convert("RGB").quantize(256).save(folder / f"explain-{figure}.png", optimize=True)


def table(run: str) -> str:
    """Cosine of what lines add to the mean token of the last layer, by the rows between them."""
    saved = kakera.load(run)
    trained = picture_lines(saved.encoder, saved.inputs).by_distance()[-1]
    saved.encoder.reset_parameters(seeded_generator(0))
    untrained = picture_lines(saved.encoder, saved.inputs).by_distance()[-1]
    lines = {
        name: [f"{row[k]:.2f}" for k in APART]
        for name, row in (("untrained", untrained), ("trained", trained))
    }
    header = {"rows apart": [str(k) for k in APART]}
    return "\n".join(f"| {name} | {' | '.join(cells)} |" for name, cells in {**header, **lines}.items())


def main(words: list[str] | None = None) -> int:
    """Write the pictures, print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("autoencoder", help="a pretraining run")
    parser.add_argument("classifier", help="a fine-tuned run")
    parser.add_argument("--out", type=Path, default=DOCS)
    given = parser.parse_args(words)
    draw(given.autoencoder, given.classifier, given.out)
    print(table(given.autoencoder))
    return 0


if __name__ == "__main__":
    sys.exit(main())
