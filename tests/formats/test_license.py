"""The licence of weights: read from a card, told on load, kept in what is made from them."""

import json
from pathlib import Path

import pytest
import torch
import transformers as hf
from huggingface_hub import metadata_load

import kakera
from kakera.formats.license import license_words, read_license
from tests.small import QUICK, pictures

SMALL = {
    **{"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64},
    **{"image_size": 28, "patch_size": 14, "num_channels": 1, "layer_norm_eps": 1e-6},
}


def vit(folder: Path, card: str) -> Path:
    torch.manual_seed(0)
    hf.ViTModel(hf.ViTConfig(**SMALL), add_pooling_layer=False).save_pretrained(folder)
    (folder / "README.md").write_text(card)
    return folder


@pytest.mark.parametrize(
    ("card", "name"),
    [
        ("---\nlicense: apache-2.0\n---\n# A model", "apache-2.0"),
        ("---\r\ntags:\r\n- a\r\nlicense: mit\r\n---\r\n", "mit"),
        ("---\nlicense:\n- mit\n- cc-by-4.0\n---\n", "mit and cc-by-4.0"),
        ("---\nlicense: other\nlicense_name: seeing\nlicense_link: LICENSE.md\n---\n", "seeing, LICENSE.md"),
        ("---\nlicense: other\n---\n", "other"),
        ("---\ntags: [a]\n---\nlicense: mit\n", ""),
        ("license: mit\n", ""),
        ("", ""),
    ],
)
def test_the_licence_is_that_of_the_header_of_the_card(tmp_path: Path, card: str, name: str) -> None:
    (tmp_path / "README.md").write_bytes(card.encode())
    assert read_license(tmp_path, {}) == (name, ())


def test_timm_names_the_licence_in_its_configuration(tmp_path: Path) -> None:
    config = {"pretrained_cfg": {"license": "cc-by-nc-4.0"}}
    assert read_license(tmp_path, config) == ("cc-by-nc-4.0", ())
    (tmp_path / "README.md").write_text("---\nlicense: apache-2.0\n---\n")
    name, notes = read_license(tmp_path, config)
    assert name == "apache-2.0 or cc-by-nc-4.0"
    assert notes == ("warning: model card and config.json name two licences",)


def test_a_card_whose_header_is_not_yaml_is_told(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("---\nlicense: [mit\n---\n")
    name, (note,) = read_license(tmp_path, {})
    assert name == ""
    assert note.startswith("the header of README.md is unreadable (while parsing a flow sequence")


@pytest.mark.parametrize(
    ("name", "free"),
    [
        *[
            ("apache-2.0", True),
            ("mit", True),
            ("seeing, https://x.org/license", True),
            ("bsd-3-clause", True),
        ],
        *[
            ("cc-by-nc-4.0", False),
            ("cc-by-nc-sa-4.0", False),
            ("fair-noncommercial-research-license", False),
        ],
        *[("FAIR-NC", False), ("Non-Commercial", False), ("apple-amlr", False)],
    ],
)
def test_licences_without_commercial_use_say_so(name: str, free: bool) -> None:
    assert (license_words(name) == f"licence {name}") == free
    assert license_words(name).endswith(": no commercial use") != free


def test_the_licence_goes_from_weights_into_all_that_is_trained_and_converted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    start, data = vit(tmp_path / "start", "---\nlicense: cc-by-nc-4.0\n---\n"), pictures()
    further = kakera.pretrain(data, init_from=start, out=tmp_path / "mae", **QUICK)
    assert "licence cc-by-nc-4.0: no commercial use" in capsys.readouterr().err
    tuned = kakera.finetune(data, init_from=tmp_path / "mae", out=tmp_path / "tuned", pool="mean", **QUICK)
    for run in (further, tuned):
        stored = json.loads((run.folder / "kakera.json").read_text())
        found = kakera.load(run.folder)
        assert stored["license"] == found.license == "cc-by-nc-4.0"
        assert "licence cc-by-nc-4.0: no commercial use" in found.notes
    for to in ("transformers", "timm", "onnx"):
        kakera.convert(tmp_path / "tuned", tmp_path / to, to=to)
        assert metadata_load(tmp_path / to / "README.md")["license"] == "cc-by-nc-4.0"
    kakera.convert(tmp_path / "mae", tmp_path / "mae.pth", to="mae", encoder=True)
    assert kakera.load(tmp_path / "mae.pth").license == "cc-by-nc-4.0"
    assert kakera.load(tmp_path / "transformers").license == "cc-by-nc-4.0"


def test_a_licence_of_its_own_name_is_other_on_the_card_of_a_converted_model(tmp_path: Path) -> None:
    card = "---\nlicense: other\nlicense_name: seeing, non-commercial\n---\n"
    kakera.convert(vit(tmp_path / "start", card), tmp_path / "timm", to="timm", channels=3)
    written = tmp_path / "timm" / "README.md"
    assert metadata_load(written)["license"] == "other"
    assert "weights with the licence seeing, non-commercial: no commercial use." in written.read_text()


def test_a_run_from_scratch_has_no_licence(tmp_path: Path) -> None:
    run = kakera.finetune(pictures(), out=tmp_path / "run", model="nano", **QUICK)
    assert "license" not in json.loads((run.folder / "kakera.json").read_text())
    assert kakera.load(run.folder).license == ""
