import pytest
import torch
from torch import Tensor
from torch.nn import functional

from kakera.errors import OptionError
from kakera.model.attention import drop_path_factors
from kakera.model.configs import RESNETS, ResNetConfig, resnet_config
from kakera.model.resnet import ResNet

TINY_BASIC = ResNetConfig((2, 1), (4, 6), bottleneck=False, stem="small")
TINY_NARROW = ResNetConfig((1, 2), (4, 6), bottleneck=True, stem="large")
tiny = pytest.mark.parametrize("shape", [TINY_BASIC, TINY_NARROW], ids=["basic", "bottleneck"])


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def made(shape: ResNetConfig, channels: int = 2, classes: int = 5) -> ResNet:
    """A model with no number left at its default, ready to predict."""
    model, generator = ResNet(shape, channels=channels, classes=classes), seeded(0)
    for tensor in [*model.parameters(), *(b for b in model.buffers() if b.is_floating_point())]:
        tensor.data = 0.5 + 0.5 * torch.rand(tensor.shape, generator=generator)
    for parameter in model.parameters():
        if parameter.ndim > 1:
            parameter.data = torch.randn(parameter.shape, generator=generator) / parameter[0].numel() ** 0.5
    return model.eval()


def written_out(model: ResNet, shape: ResNetConfig, pictures: Tensor) -> Tensor:
    """The paper's network from nothing but the state dict."""
    weights = model.state_dict()

    def conv_norm(x: Tensor, place: str, number: str, stride: int, padding: int) -> Tensor:
        x = functional.conv2d(x, weights[f"{place}conv{number}.weight"], None, stride, padding)
        norm = [
            weights[f"{place}norm{number}.{k}"] for k in ("running_mean", "running_var", "weight", "bias")
        ]
        mean, variance, scale, shift = (values.view(1, -1, 1, 1) for values in norm)
        return (x - mean) / (variance + 1e-5) ** 0.5 * scale + shift

    if shape.stem == "large":
        x = functional.max_pool2d(conv_norm(pictures, "stem.", "", 2, 3).clamp(min=0), 3, 2, 1)
    else:
        x = conv_norm(pictures, "stem.", "", 1, 1).clamp(min=0)
    strides = [2 if i == 0 and s else 1 for s, count in enumerate(shape.blocks) for i in range(count)]
    for i, stride in enumerate(strides):
        place = f"layers.{i}.branch."
        if shape.bottleneck:
            y = conv_norm(x, place, "1", 1, 0).clamp(min=0)
            y = conv_norm(y, place, "2", stride, 1).clamp(min=0)
            y = conv_norm(y, place, "3", 1, 0)
        else:
            y = conv_norm(x, place, "1", stride, 1).clamp(min=0)
            y = conv_norm(y, place, "2", 1, 1)
        if f"layers.{i}.shortcut.conv.weight" in weights:
            x = conv_norm(x, f"layers.{i}.shortcut.", "", stride, 0)
        x = (x + y).clamp(min=0)
    return x.mean((2, 3)) @ weights["head.weight"].T + weights["head.bias"]


@tiny
def test_the_forward_is_the_papers_written_out(shape: ResNetConfig) -> None:
    model, pictures = made(shape), torch.randn(3, 2, 21, 18, generator=seeded(1))
    with torch.no_grad():
        torch.testing.assert_close(model(pictures), written_out(model, shape, pictures))


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("resnet-18", 11_689_512),
        ("resnet-34", 21_797_672),
        ("resnet-50", 25_557_032),
        ("resnet-101", 44_549_160),
        ("resnet-152", 60_192_808),
    ],
)
def test_the_papers_sizes_have_the_published_number_of_parameters(name: str, count: int) -> None:
    with torch.device("meta"):
        model = ResNet(RESNETS[name], channels=3, classes=1000)
    assert sum(p.numel() for p in model.parameters()) == count


def test_the_smallest_size_has_the_parameters_of_its_convolutions_norms_and_head() -> None:
    def conv_norm(entry: int, leave: int, kernel: int) -> int:
        return entry * leave * kernel**2 + 2 * leave

    count = conv_norm(1, 32, 3) + 2 * conv_norm(32, 32, 3)
    count += conv_norm(32, 64, 3) + conv_norm(64, 64, 3) + conv_norm(32, 64, 1)
    count += conv_norm(64, 128, 3) + conv_norm(128, 128, 3) + conv_norm(64, 128, 1)
    model = ResNet(RESNETS["resnet-nano"], channels=1, classes=10)
    assert sum(p.numel() for p in model.parameters()) == count + 128 * 10 + 10


@pytest.mark.parametrize(("name", "vit"), [("resnet-micro", 796_938), ("resnet-mini", 2_674_954)])
@pytest.mark.parametrize("stem", ["", "-7x7"])
def test_the_small_sizes_are_those_of_the_transformers_they_are_compared_with(
    name: str, stem: str, vit: int
) -> None:
    # The Transformers' trained parameters: 4 layers of width 128, 6 of 192; patches of 4 × 4, 10 classes.
    with torch.device("meta"):
        model = ResNet(RESNETS[name + stem], channels=1, classes=10)
    assert sum(p.numel() for p in model.parameters()) == pytest.approx(vit, rel=0.05)


def test_a_shift_of_the_picture_shifts_the_maps_away_from_the_borders() -> None:
    model, picture = made(RESNETS["resnet-nano"], channels=1), torch.randn(1, 1, 80, 80, generator=seeded(2))
    with torch.no_grad():
        still, moved = model.maps(picture), model.maps(picture.roll((4, 8), dims=(2, 3)))
    # Three stages: four pixels are one place. Five places keep clear of the border's influence.
    torch.testing.assert_close(moved.roll((-1, -2), dims=(2, 3))[..., 5:-7, 5:-7], still[..., 5:-7, 5:-7])


@pytest.mark.parametrize(("name", "places"), [("resnet-nano", (7, 8)), ("resnet-18", (1, 1))])
def test_each_stage_but_the_first_halves_the_picture(name: str, places: tuple[int, int]) -> None:
    model = made(RESNETS[name], channels=1)
    with torch.no_grad():
        assert model.maps(torch.zeros(1, 1, 28, 32)).shape[2:] == places


@tiny
def test_the_features_have_the_width_that_the_shape_says(shape: ResNetConfig) -> None:
    with torch.no_grad():
        assert made(shape).features(torch.zeros(2, 2, 16, 16)).shape == (2, shape.features)


def test_the_forward_draws_no_random_numbers() -> None:
    model, before = made(TINY_BASIC).train(), torch.get_rng_state()
    model(torch.zeros(2, 2, 8, 8))
    assert torch.equal(torch.get_rng_state(), before)


def test_a_branch_that_does_not_survive_adds_nothing() -> None:
    model, pictures = made(TINY_BASIC), torch.randn(2, 2, 8, 8, generator=seeded(3))
    drop_path = torch.ones(3, 1, 2)
    drop_path[0, 0, 1] = 0.0
    with torch.no_grad():
        whole, dropped = model(pictures), model(pictures, drop_path)
        model.layers[0].branch.norm2.weight.zero_()
        model.layers[0].branch.norm2.bias.zero_()
        without = model(pictures)
    torch.testing.assert_close(dropped[0], whole[0])
    torch.testing.assert_close(dropped[1], without[1])


@pytest.mark.parametrize("each", [1, 2])
def test_it_takes_the_factors_that_survival_gives(each: int) -> None:
    model, noise = made(TINY_BASIC), torch.full((2, 3 * each), 0.9)
    drop_path = drop_path_factors(noise, 0.5, 3)
    assert drop_path.shape == (3, each, 2)
    with torch.no_grad():
        assert model(torch.zeros(2, 2, 8, 8), drop_path).shape == (2, 5)


def test_branches_say_something_at_birth() -> None:
    model, pictures = ResNet(TINY_BASIC, channels=2, classes=5), torch.randn(2, 2, 8, 8, generator=seeded(4))
    model.reset_parameters(seeded(5))
    with torch.no_grad():
        assert not torch.allclose(
            model.features(pictures), model.features(pictures, torch.zeros(3, 1, 2)), atol=1e-2
        )


def test_convolutions_start_with_the_variance_of_two_over_fan_out() -> None:
    model = ResNet(RESNETS["resnet-mini"], channels=3, classes=10)
    model.reset_parameters(seeded(0))
    weight = model.layers[2].branch.conv1.weight  # 64 → 128 channels, 3 × 3
    assert weight.std().item() == pytest.approx((2 / (128 * 9)) ** 0.5, rel=0.02)


def test_the_start_is_a_function_of_the_generator_alone() -> None:
    one, two = (ResNet(TINY_BASIC, channels=1, classes=2) for _ in range(2))
    before = torch.get_rng_state()
    one.reset_parameters(seeded(9))
    two.reset_parameters(seeded(9))
    assert torch.equal(torch.get_rng_state(), before)
    for a, b in zip(one.state_dict().values(), two.state_dict().values(), strict=True):
        assert torch.equal(a, b)


def test_every_parameter_learns() -> None:
    model = made(TINY_NARROW).train()
    model(torch.randn(4, 2, 16, 16, generator=seeded(1))).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())


def test_other_channels_are_refused() -> None:
    with pytest.raises(OptionError, match="got 3 channels, expected 2"):
        made(TINY_BASIC)(torch.zeros(1, 3, 8, 8))


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    assert resnet_config("resnet-18") is RESNETS["resnet-18"]
    with pytest.raises(OptionError, match="resnet-micro"):
        resnet_config("resnet-19")
