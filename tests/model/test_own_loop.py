"""The public models in a loop of anybody's own: made in a line, and at home in PyTorch."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import functional

import kakera
from kakera import masking
from kakera.errors import OptionError
from tests.model.models import seeded
from tests.refusals import refused

USES = [
    "compiled with an index",
    "compiled with padding",
    "compiled with its own mask",
    "exported encoder",
    "exported classifier",
    "exported CNN",
    "exported autoencoder",
    "exported autoencoder with padding",
    "distributed",
    "bfloat16",
    "copied",
]


def images(count: int = 4, channels: int = 1, side: int = 28) -> torch.Tensor:
    return torch.randn(count, channels, side, side, generator=seeded(1))


def same(one: torch.nn.Module, other: torch.nn.Module) -> bool:
    pairs = zip(one.state_dict().items(), other.state_dict().items(), strict=True)
    return all(a == b and torch.equal(x, y) for (a, x), (b, y) in pairs)


def results(*uses: str) -> dict[str, bool]:
    script = Path(__file__).with_name("own_loop.py")
    done = subprocess.run(
        [sys.executable, str(script), *uses],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, bool] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.fixture(scope="module")
def used() -> dict[str, bool]:
    return results(*USES)


@pytest.mark.parametrize("use", USES)
def test_a_model_can_be(use: str, used: dict[str, bool]) -> None:
    assert used[use]


@pytest.mark.slow
def test_an_autoencoder_compiles_as_one_graph() -> None:
    assert results("by inductor") == {"by inductor": True}


def test_a_config_and_its_name_make_the_same_encoder() -> None:
    named = kakera.ViT("micro", channels=1, image_size=28, seed=5)
    config = kakera.ViTConfig(128, 4, 4, (4, 4), named.config.decoder)
    assert same(named, kakera.ViT(config, channels=1, image_size=(28, 28), seed=5))
    wide = kakera.ViT("micro", channels=1, image_size=28, patch=(7, 7))
    assert wide(images()).shape == (4, 1 + 16, 128)


def test_an_autoencoder_by_name_is_one_of_the_encoder_by_name() -> None:
    draws = seeded(5)
    vit = kakera.ViT("nano", channels=1, image_size=28, seed=draws)
    assert same(
        kakera.MAE(vit, seed=draws), kakera.MAE("nano", channels=1, image_size=28, mask_ratio=0.5, seed=5)
    )


def test_a_classifier_by_name_is_one_of_the_encoder_by_name() -> None:
    draws = seeded(5)
    vit = kakera.ViT("nano", channels=3, image_size=32, seed=draws)
    made = kakera.Classifier("nano", classes=10, channels=3, image_size=32, seed=5)
    assert same(kakera.Classifier(vit, classes=10, seed=draws), made)


def test_a_trained_encoder_keeps_its_weights_in_a_classifier() -> None:
    vit = kakera.ViT("nano", channels=1, image_size=28)
    before = {name: tensor.clone() for name, tensor in vit.state_dict().items()}
    classifier = kakera.Classifier(vit, classes=3)
    assert classifier.encoder is vit
    assert all(torch.equal(tensor, before[name]) for name, tensor in vit.state_dict().items())


MAKERS: list[Any] = [
    lambda seed: kakera.ViT("nano", channels=1, image_size=28, learned=True, seed=seed),
    lambda seed: kakera.MAE("nano", channels=1, image_size=28, seed=seed),
    lambda seed: kakera.Classifier("nano", 10, head_epsilon=1e-5, channels=1, image_size=28, seed=seed),
    lambda seed: kakera.ResNet("resnet-nano", channels=3, classes=10, seed=seed),
]
every_model = pytest.mark.parametrize("make", MAKERS, ids=["ViT", "MAE", "Classifier", "ResNet"])


@every_model
def test_a_seed_draws_all_of_a_model_and_no_other_numbers(make: Any) -> None:
    before = torch.get_rng_state()
    made, again = make(7), make(7)
    assert torch.equal(torch.get_rng_state(), before)
    assert same(made, again)
    for parameter in again.parameters():
        parameter.data.fill_(float("nan"))
    again.reset_parameters(seeded(7))
    assert same(made, again)


@every_model
def test_without_a_seed_pytorchs_global_generator_draws(make: Any) -> None:
    torch.manual_seed(3)
    one, other = make(None), make(None)
    assert not same(one, other)
    torch.manual_seed(3)
    assert same(one, make(None))
    assert all(parameter.isfinite().all() for parameter in other.parameters())


@every_model
def test_on_the_meta_device_nothing_is_drawn(make: Any) -> None:
    before = torch.get_rng_state()
    with torch.device("meta"):
        made = make(0)
    assert all(tensor.is_meta for tensor in made.state_dict().values())
    assert torch.equal(torch.get_rng_state(), before)


def test_without_a_mask_a_generator_draws_one_that_hides_the_ratio() -> None:
    mae = kakera.MAE("nano", channels=1, image_size=28, mask_ratio=0.6, seed=0)
    loss = mae(images(), generator=seeded(2))
    assert torch.equal(loss, mae(images(), generator=seeded(2)))
    assert not torch.equal(loss, mae(images(), generator=seeded(3)))
    torch.manual_seed(2)
    assert torch.equal(loss, mae(images()))


def test_a_boolean_mask_and_its_index_give_the_same_loss() -> None:
    mae = kakera.MAE("nano", channels=1, image_size=28, seed=0)
    noise = torch.rand(4, 49, generator=seeded(0), dtype=torch.float64).numpy()
    hidden = torch.from_numpy(kakera.masking.random(noise, mae.encoder.grid, 0.75))
    assert torch.equal(mae(images(), mask=hidden), mae(images(), mask=kakera.MaskIndex.of(hidden)))
    assert kakera.masking is masking


def test_a_plain_loop_learns() -> None:
    vit = kakera.ViT("nano", channels=1, image_size=28, seed=0)
    classifier = kakera.Classifier(vit, classes=2, seed=0)
    labels = torch.arange(8) % 2
    pictures = images(8) + labels.float().reshape(-1, 1, 1, 1)
    optimizer = torch.optim.AdamW(classifier.parameters(), lr=3e-3)
    for _ in range(30):
        optimizer.zero_grad()
        functional.cross_entropy(classifier(pictures), labels).backward()
        optimizer.step()
    assert functional.cross_entropy(classifier(pictures), labels).item() < 0.1


def test_other_names_get_the_nearest() -> None:
    with refused("model", got="bass", do="did you mean base?"):
        kakera.ViT("bass", channels=3, image_size=224)
    with refused("ResNet", got="resnet18", do="did you mean resnet-18?"):
        kakera.ResNet("resnet18", channels=3, classes=10)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"channels": 0, "image_size": 28}, "channels: got 0"),
        ({"channels": 1, "image_size": (28, 0)}, r"image_size: got \(28, 0\), expected a number of pixels"),
        ({"channels": 1, "image_size": 30}, "patch: got 4 x 4 for a picture of 30 x 30"),
        ({"channels": 1, "image_size": 28, "patch": -7}, "patch: got -7"),
    ],
)
def test_sizes_that_cannot_be_are_refused(given: dict[str, Any], words: str) -> None:
    with pytest.raises(OptionError, match=words):
        kakera.ViT("nano", **given)


def test_what_an_encoder_lacks_or_has_already_is_refused() -> None:
    with refused("image_size", do="pass image_size="):
        kakera.MAE("nano", channels=1)
    vit = kakera.ViT("nano", channels=1, image_size=28)
    with refused("channels", do="leave it out"):
        kakera.Classifier(vit, classes=10, channels=1)
    with refused("classes", got="0"):
        kakera.Classifier(vit, classes=0)
    mae = kakera.MAE(vit)
    index = kakera.MaskIndex.of(torch.arange(49).expand(4, -1) > 9)
    with refused("mask", do="MaskIndex.of"):
        mae(images(), index, torch.zeros(4, 49, dtype=torch.bool))
