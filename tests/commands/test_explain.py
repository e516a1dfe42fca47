"""Tests of `kakera explain` on models of a few thousand parameters."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kakera.cli.main import main
from kakera.commands.explain import explain_files
from kakera.formats.bundle import Pretrained
from kakera.formats.native import save_model
from kakera.inputs import InputSpec
from kakera.model.classifier import Classifier
from kakera.model.configs import resnet_config
from kakera.model.mae import MAE
from kakera.model.resnet import ResNet
from kakera.model.vit import ViT
from tests.model.models import DECODER, SHAPE, seeded
from tests.small import folder

SIZE = (8, 12)
INPUTS = InputSpec(3, *SIZE, (0.4,) * 3, (0.3,) * 3)
SHOWN = {"summary", "heads", "heads-patch", "similarity"}
MODEL = {"across", "colours", "distances", "fields", "positions", "filters", "lines"}


def encoder() -> ViT:
    return ViT(SHAPE, channels=3, image_size=SIZE)


def autoencoder(*, normalised: bool = True) -> Pretrained:
    model = MAE(encoder(), DECODER, norm_pix_loss=normalised)
    model.reset_parameters(seeded(0))
    return Pretrained(model.eval(), INPUTS)


def classifier() -> Pretrained:
    model = Classifier(encoder(), 2)
    model.reset_parameters(seeded(0))
    return Pretrained(model.eval(), INPUTS, ("bag", "boot"))


def cnn() -> Pretrained:
    return Pretrained(
        ResNet(resnet_config("resnet-nano"), channels=3, classes=2).eval(), INPUTS, ("bag", "boot")
    )


MANY = "the page shows 24 of 30 pictures, spread over the classes; pass single files to choose others"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    folder(tmp_path / "things", count=1)
    makers: dict[str, Callable[[], Pretrained]] = {"mae": autoencoder, "classifier": classifier, "cnn": cnn}
    for name, make in makers.items():
        save_model(tmp_path / name, make())
    return tmp_path


@pytest.mark.parametrize("kind", ["mae", "classifier"])
def test_it_writes_a_page_pictures_and_numbers(
    kind: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["explain", kind, "things", "--out", "out"]) == 0
    assert "out/index.html: open it in a browser" in capsys.readouterr().out
    shown = SHOWN | ({"reconstruction"} if kind == "mae" else set())
    wanted = {f"0{n}-0-{name}.png" for n in (1, 2) for name in shown} | {
        f"model-{name}.png" for name in MODEL
    }
    assert {path.name for path in (here / "out").iterdir()} == wanted | {"index.html", "numbers.npz"}
    for name in wanted:
        with Image.open(here / "out" / name) as image:
            image.load()
    page = (here / "out" / "index.html").read_text()
    assert page.count("data:image/png;base64,") == len(wanted)
    assert "http" not in page  # nothing is fetched from elsewhere
    said = "normalised pixels" if kind == "mae" else "Encoder only, without a decoder"
    assert said in page


def test_the_numbers_are_those_of_the_arrays(here: Path) -> None:
    saved = autoencoder()
    found = explain_files(saved, ["things/bag/0.png"], out="out", samples=2, mask_ratio=0.5)
    assert found.written[-2:] == ("numbers.npz", "index.html")
    with np.load(here / "out" / "numbers.npz") as numbers:
        attention = numbers["01-0-attention"]
        assert attention.shape == (2, 3, 17, 17)
        assert np.abs(attention.sum(axis=-1) - 1).max() < 1e-5
        assert numbers["01-0-hidden"].sum(axis=(1, 2)).tolist() == [8, 8]
        assert np.array_equal(numbers["model-lines_raw"], 36 * np.eye(8))
        errors = numbers["01-0-error"].mean(axis=(1, 2)) * 2
    assert found.files[0]["reconstruction_errors"] == pytest.approx(errors, abs=1e-5)


def test_json(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "classifier", "things", "--json", "--target", "boot"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["folder"] == "explained"
    assert found["kind"].startswith("encoder only")
    assert [Path(each["file"]).parent.name for each in found["files"]] == ["bag", "boot"]
    for each in found["files"]:
        assert sum(each["probabilities"].values()) == pytest.approx(1, abs=1e-5)
        assert np.shape(each["attention_distances"]) == (2, 3)
        assert all((here / "explained" / name).exists() for name in each["pictures"])


def test_a_hand_painted_mask_hides_what_is_white(here: Path) -> None:
    paint = np.zeros((40, 40), np.uint8)
    paint[:10] = 255  # the first of four rows of patches
    Image.fromarray(paint).save(here / "mask.png")
    explain_files("mae", ["things/bag/0.png"], out="out", mask="mask.png")
    with np.load(here / "out" / "numbers.npz") as numbers:
        assert numbers["01-0-hidden"].tolist() == [[[True] * 4] + [[False] * 4] * 3]


def test_a_trained_cnn_can_stand_beside(here: Path) -> None:
    explain_files("classifier", ["things/bag/0.png"], out="out", cnn="cnn")
    with np.load(here / "out" / "numbers.npz") as numbers:
        assert numbers["model-fields_1"].shape == (4, *SIZE)


def test_a_broken_file_is_named_after_the_others(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "empty.png").write_bytes(b"")
    assert main(["explain", "classifier", "empty.png", "things/bag/0.png"]) == 2
    out, error = capsys.readouterr()
    assert "index.html" in out
    assert error.startswith("kakera: empty.png: got an empty file")
    assert error.count("\n") == 1
    assert (here / "explained" / "01-0-summary.png").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["cnn", "things"], "got a CNN, expected a Vision Transformer"),
        (["mae", "nowhere.png"], "nowhere.png: got no file of this name"),
        (["mae", "bare"], "got no picture, expected at least one; choose another folder"),
        (["mae", "things", "--layer", "3"], "layer: got 3, expected 1 to 2"),
        (["mae", "things", "--patch-index", "17"], "patch_index: got 17, expected 1 to 16"),
        (["mae", "things", "--mask-ratio", "0.99"], "which leaves 0 of 16 patches"),
        (["mae", "things", "--samples", "0"], "samples: got 0, expected a number from 1"),
        (["mae", "things", "--mask", "things/boot/0.png"], "with 16 patches hidden"),
        (["mae", "things", "--target", "bag"], "this model has no classes"),
        (["classifier", "things", "--target", "hat"], "got hat, expected bag, boot"),
        (["classifier", "things", "--cnn", "mae"], "--cnn: got another network"),
        (["nothing", "things"], "expected a run, a folder or file"),
    ],
)
def test_bad_input_is_one_line(
    words: list[str], said: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "bare").mkdir()
    Image.new("L", (20, 20), 255).save(here / "things" / "boot" / "0.png")
    assert main(["explain", *words]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.startswith("kakera: ")
    assert error.count("\n") == 1
    assert not (here / "explained").exists()


def test_of_many_files_24_are_shown_and_a_line_says_so(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder(here / "many", classes=("bag",), count=30)
    assert main(["explain", "classifier", "many/bag", "--out", "out"]) == 0
    said = capsys.readouterr().err
    assert said == f"kakera: {MANY}\n"
    assert f"{MANY[0].upper()}{MANY[1:]}." in (here / "out" / "index.html").read_text()
    first = [Path(name).name for name in sorted(str(path) for path in (here / "many" / "bag").iterdir())]
    found = explain_files(classifier(), [str(here / "many" / "bag")], out="again")
    assert {Path(row["file"]).name for row in found.files} <= set(first)
    assert len(found.files) == 24
    assert found.notes == (MANY,)


def test_of_many_files_each_class_has_as_many(here: Path) -> None:
    folder(here / "many", classes=("bag", "boot", "shoe"), count=30)
    found = explain_files(classifier(), [str(here / "many")], out="out")
    shown = [Path(row["file"]).parent.name for row in found.files]
    assert [shown.count(name) for name in ("bag", "boot", "shoe")] == [8, 8, 8]


def test_how_to_read_a_plate_is_said_once_on_a_page(here: Path) -> None:
    explain_files(autoencoder(), ["things"], out="out")
    page = (here / "out" / "index.html").read_text()
    captions = [
        text.removesuffix("</figcaption>") for text in re.findall("<figcaption>.*?</figcaption>", page)
    ]
    assert sum("Heads of one layer differ" in text for text in captions) == 1
    assert sum("good prediction fits its surroundings" in text for text in captions) == 1
    assert sum("patches are hidden; the mean error" in text for text in captions) == 2


def test_where_it_writes_is_said_first_and_where_the_page_is_last(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["explain", "classifier", "things"]) == 0
    first, *_, last = capsys.readouterr().out.splitlines()
    assert first == "writing into explained"
    assert last == "explained/index.html: open it in a browser"


def test_more_samples_than_a_page_has_room_for_are_cut_and_a_line_says_so(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["mae", "things/bag/0.png", "--samples", "20", "--out", "out"]
    assert main(["explain", *words]) == 0
    assert capsys.readouterr().err == "kakera: the page shows 16 of 20 samples of each file\n"
    with np.load(here / "out" / "numbers.npz") as numbers:
        assert len(numbers["01-0-hidden"]) == 16
