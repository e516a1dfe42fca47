"""Models made with timm, in an environment apart (`make_timm_file.py`): the same outputs here."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from kakera.errors import RunError
from kakera.formats.folder import write_folder
from kakera.formats.foreign import timm
from kakera.formats.foreign.mae import MEAN, STD
from kakera.formats.foreign.timm_writer import files
from kakera.formats.load import load
from kakera.grid import Grid
from kakera.model import positions
from kakera.model.classifier import Classifier
from kakera.model.vit import ViT
from tests.formats.foreign.test_transformers import far

FILE = Path(__file__).parents[1] / "files" / "timm.safetensors"
with safe_open(FILE, "pt") as opened:
    TOLD = opened.metadata()
    KEPT = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118  # an open file is no dict
CONFIGS: dict[str, dict[str, Any]] = json.loads(TOLD["configs"])
LARGE: dict[str, dict[str, Any]] = json.loads(TOLD["large"])


def weights(case: str) -> dict[str, Tensor]:
    start = f"{case}/weights/"
    return {name.removeprefix(start): tensor for name, tensor in KEPT.items() if name.startswith(start)}


def folder(case: str, place: Path, dtype: torch.dtype = torch.float32, **changes: Any) -> Path:
    """As `timm.models.save_for_hf` leaves it."""
    place.mkdir(exist_ok=True)
    (place / "config.json").write_text(json.dumps({**CONFIGS[case], **changes}))
    save_file({name: tensor.to(dtype) for name, tensor in weights(case).items()}, place / "model.safetensors")
    return place


def expected(case: str) -> Tensor:
    """Theirs puts registers before the patches even where one of them is the class token here."""
    return KEPT[f"{case}/output"]


@pytest.mark.parametrize("case", CONFIGS)
def test_a_folder_of_timm_gives_the_same_outputs(case: str, tmp_path: Path) -> None:
    single = load(folder(case, tmp_path / "single"))
    double = load(folder(case, tmp_path / "double", torch.float64), dtype=torch.float64)
    x = KEPT[f"{case}/input"]
    with torch.inference_mode():
        assert far(single.model(x).double(), expected(case)) < 1e-5
        assert far(double.model(x.double()), expected(case)) < 1e-10
    assert single.inputs.size == (8, 12)
    assert isinstance(single.model, ViT if case == "encoder" else Classifier)


def drawn_again(case: str, shapes: list[Any], seed: int) -> tuple[dict[str, Tensor], torch.Generator]:
    """The weights that timm's model had, as `make_timm_file.py` drew them."""
    draws, found = torch.Generator().manual_seed(seed), dict[str, Tensor]()
    for name, shape in shapes:
        scale = shape[-1] ** -0.5 if len(shape) > 1 else 1.0
        found[name] = scale * torch.randn(shape, generator=draws)
    if "head/kernel" in found:  # JAX has what enters first
        width, classes = found["head/kernel"].shape
        found["head/kernel"] *= (classes / width) ** 0.5
    total = sum(float(tensor.double().sum()) for tensor in found.values())
    assert total == pytest.approx(KEPT[f"{case}/sum"].item(), rel=1e-9)
    return found, draws


def same_as_timm(case: str, source: Path, tensors: dict[str, Tensor], x: Tensor, content: Any) -> None:
    """`source` is written in float32 and in float64, by `content` of the tensors, and read."""
    for dtype, most in ((torch.float32, 1e-5), (torch.float64, 1e-10)):
        torch.save(content({name: tensor.to(dtype) for name, tensor in tensors.items()}), source)
        place = source.parent if source.name == "pytorch_model.bin" else source
        found = load(place, dtype=dtype)
        with torch.inference_mode():
            assert far(found.model(x.to(dtype)).double(), KEPT[f"{case}/output"]) < most


@pytest.mark.slow
@pytest.mark.parametrize("case", ["ViT-B", "ViT-B, avg"])
def test_a_whole_base_model_of_timm_gives_the_same_scores(case: str, tmp_path: Path) -> None:
    tensors, draws = drawn_again(case, LARGE[case]["shapes"], 7)
    (tmp_path / "config.json").write_text(json.dumps(LARGE[case]["config"]))
    x = torch.randn(1, 3, 224, 224, generator=draws)
    same_as_timm(case, tmp_path / "pytorch_model.bin", tensors, x, lambda found: found)


BASE = pytest.param("DeiT-B, distilled", marks=pytest.mark.slow)


@pytest.mark.parametrize("case", ["DeiT-S", "DeiT-S, distilled", BASE])
def test_a_file_of_deits_own_code_gives_the_scores_of_timm(case: str, tmp_path: Path) -> None:
    """Whole models; of two tokens the mean of both heads."""
    tensors, draws = drawn_again(case, LARGE[case]["shapes"], 7)
    x = torch.randn(1, 3, 224, 224, generator=draws)
    same_as_timm(case, tmp_path / "deit.pth", tensors, x, lambda found: {"model": found})
    found = load(tmp_path / "deit.pth")
    assert isinstance(found.model, Classifier)
    assert found.model.pool == ("distilled" if "distilled" in case else "class")
    assert found.notes[0].startswith("a file of DeiT's code")
    assert (found.inputs.size, found.inputs.mean, found.inputs.std) == ((224, 224), MEAN, STD)


@pytest.mark.parametrize("case", CONFIGS)
def test_what_timm_made_is_written_as_timm_made_it(case: str, tmp_path: Path) -> None:
    start = folder(case, tmp_path / "theirs")
    write_folder(tmp_path / "ours", files(load(start)))
    back = load(tmp_path / "ours")
    first = load(start)
    assert (back.inputs, back.classes) == (first.inputs, first.classes)
    before, after = first.model.state_dict(), back.model.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
    if case in ("token", "avg", "encoder", "no bias", "gated", "registers apart"):  # the rest as its like
        theirs, ours = load_file(start / "model.safetensors"), load_file(tmp_path / "ours/model.safetensors")
        assert theirs.keys() == ours.keys()
        assert all(torch.equal(theirs[name], ours[name]) for name in theirs)


@pytest.mark.parametrize("case", CONFIGS)
def test_the_arguments_that_are_written_are_those_that_timm_was_given(case: str, tmp_path: Path) -> None:
    written = json.loads(files(load(folder(case, tmp_path / "theirs")))["config.json"])
    asked, given = written["model_args"], CONFIGS[case]["model_args"]
    for name in ("img_size", "patch_size", "in_chans", "embed_dim", "depth", "num_heads"):
        assert asked[name] == given[name]
    assert int(asked["embed_dim"] * asked["mlp_ratio"]) == int(8 * given.get("mlp_ratio", 4.0))
    assert written["num_classes"] == CONFIGS[case]["num_classes"]
    assert written["architecture"] == CONFIGS[case]["architecture"]
    assert written["pretrained_cfg"]["mean"] == pytest.approx(CONFIGS[case]["pretrained_cfg"]["mean"])


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize("wrapped", [False, True])
def test_a_state_dict_alone_is_read_as_timms_with_timms_statistics(
    suffix: str, wrapped: bool, tmp_path: Path
) -> None:
    path, generator = tmp_path / f"file{suffix}", torch.Generator().manual_seed(0)
    shapes = {name: list(tensor.shape) for name, tensor in weights("avg").items()}
    shapes = {name: [192 if n == 8 else 576 if n == 24 else 768 if n == 32 else n for n in shape]
              for name, shape in shapes.items()}  # fmt: skip
    shapes["patch_embed.proj.weight"], shapes["pos_embed"] = [192, 3, 4, 4], [1, 10, 192]
    tensors = {name: torch.randn(shape, generator=generator) for name, shape in shapes.items()}
    tensors |= {f"norm.{part}": tensors.pop(f"fc_norm.{part}") for part in ("weight", "bias")}
    if suffix == ".pth":
        content: dict[str, Any] = {"arch": "vit_small_patch4_12", "state_dict": tensors}
        torch.save(content if wrapped else tensors, path)
    else:
        save_file(tensors, path)
    found = load(path)
    assert found.inputs.mean == (0.5, 0.5, 0.5)
    assert found.notes[0].startswith("timm")
    assert any("3 heads assumed" in note for note in found.notes)
    assert any("and standard deviation" in note for note in found.notes)
    assert not any("CC-BY-NC" in note for note in found.notes)
    assert isinstance(found.model, Classifier)
    assert found.model.pool == "class"


def test_what_came_to_timm_from_elsewhere_is_taken_to_have_imagenets_statistics() -> None:
    tensors = {"blocks.0.ls1.gamma": torch.ones(1)}
    assert timm._statistics(tensors, 3)[:2] == (MEAN, STD)


@pytest.mark.parametrize(("name", "told"), json.loads(TOLD["sizes"]).items())
def test_heads_are_those_of_timms_sizes(name: str, told: list[int]) -> None:
    assert timm.heads_of(told[0]) == told[1], name


@pytest.mark.parametrize("name", ["224 to 384", "square to 2:1", "smaller"])
def test_positions_are_resized_as_timm_does(name: str) -> None:
    grids = {
        "224 to 384": ((14, 14), (24, 24)),
        "square to 2:1": ((6, 6), (8, 4)),
        "smaller": ((8, 8), (5, 5)),
    }
    old, new = (Grid(*grid) for grid in grids[name])
    resized = positions.resize(KEPT[f"positions/{name}/before"], old, new, "antialiased")
    assert far(resized, KEPT[f"positions/{name}/after"]) < 1e-6


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"model_args": {**CONFIGS["token"]["model_args"], "num_heads": 3}}, "3 heads for a width of 8"),
        ({"model_args": {**CONFIGS["token"]["model_args"], "img_size": 16}}, "positions"),
        ({"global_pool": "map"}, "map pooling"),
        ({"model_args": {**CONFIGS["token"]["model_args"], "act_layer": "relu"}}, "act_layer: got relu"),
        ({"model_args": {}}, "got 8, expected 192"),
        ({"pretrained_cfg": {"mean": [0.5], "std": [0.5]}}, "mean and std"),
    ],
    ids=["heads", "size", "pool", "activation", "width", "channels"],
)
def test_a_configuration_that_contradicts_its_weights_gets_one_line(
    changes: dict[str, Any], said: str, tmp_path: Path
) -> None:
    with pytest.raises(RunError) as caught:
        load(folder("token", tmp_path / "theirs", **changes))
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_names_that_timm_has_and_we_have_not_are_listed(tmp_path: Path) -> None:
    place = folder("token", tmp_path / "theirs")
    tensors = {**weights("token"), "neck.weight": torch.ones(8)}
    save_file(tensors, place / "model.safetensors")
    with pytest.raises(RunError, match=r"1 unknown \(neck.weight\)"):
        load(place)


def test_a_position_of_a_class_token_that_is_missing_is_refused(tmp_path: Path) -> None:
    place = folder("avg", tmp_path / "theirs")
    tensors = weights("avg")
    del tensors["cls_token"]
    save_file(tensors, place / "model.safetensors")
    with pytest.raises(RunError, match="pos_embed of shape 13 x 8, expected 12 x 8"):
        load(place)


def test_one_number_is_the_mean_of_all_channels(tmp_path: Path) -> None:
    inputs = load(folder("token", tmp_path, pretrained_cfg={"mean": 0.4, "std": [0.2, 0.3]})).inputs
    assert (inputs.mean, inputs.std) == ((0.4, 0.4), (0.2, 0.3))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"pretrained_cfg": {"mean": "0.4", "std": 0.2}}, "mean: got '0.4'"),
        ({"model_args": {**CONFIGS["token"]["model_args"], "img_size": 10**9}}, "positions: got"),
        ({"model_args": {**CONFIGS["token"]["model_args"], "num_heads": 0}}, "num_heads: got 0"),
        ({"kakera": {"multi_label": "no"}}, "multi_label: got 'no'"),
        ({"kakera": {"inputs": []}}, "inputs: got []"),
    ],
)
def test_a_value_that_cannot_be_gets_one_line(changes: dict[str, Any], words: str, tmp_path: Path) -> None:
    with pytest.raises(RunError) as caught:
        load(folder("token", tmp_path, **changes))
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
