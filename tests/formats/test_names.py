"""Tables of names, applied both ways, strictly."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from kakera.errors import RunError
from kakera.formats import names
from kakera.formats.names import CONVOLUTION, ROW, Row, with_prefix

ROWS = (
    Row("token", "cls", ROW),
    Row("project.weight", "conv.weight", CONVOLUTION),
    *with_prefix("layers.{}.", "block{}/", (Row("qkv.*", ("q.*", "k.*", "v.*")), Row("out.*", "proj.*"))),
)
AXES = {"ph": 2, "pw": 3, "c": 2}


def theirs(layers: int = 2) -> dict[str, torch.Tensor]:
    shapes: dict[str, tuple[int, ...]] = {"cls": (1, 1, 4), "conv.weight": (4, 2, 2, 3)}
    for number in range(layers):
        for name in ("q", "k", "v", "proj"):
            shapes |= {f"block{number}/{name}.weight": (4, 4), f"block{number}/{name}.bias": (4,)}
    generator = torch.Generator().manual_seed(0)
    return {name: torch.randn(shape, generator=generator) for name, shape in shapes.items()}


def read(tensors: dict[str, torch.Tensor], **options: tuple[str, ...]) -> dict[str, torch.Tensor]:
    return names.read(tensors, ROWS, source="file", axes=AXES, **options)


@given(layers=st.integers(0, 12))
def test_reading_and_writing_are_inverse(layers: int) -> None:
    before = theirs(layers)
    after = names.write(read(before), ROWS, source="file", axes=AXES)
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_parts_are_joined_in_their_order_and_axes_are_moved() -> None:
    tensors = theirs()
    found = read(tensors)
    assert torch.equal(found["layers.1.qkv.bias"], torch.cat([tensors[f"block1/{n}.bias"] for n in "qkv"]))
    assert torch.equal(found["token"], tensors["cls"][0, 0])
    # ours: (ph · pw · c), channels last
    places = [(c, i, j) for i in range(2) for j in range(3) for c in range(2)]
    expected = torch.stack([tensors["conv.weight"][:, c, i, j] for c, i, j in places], 1)
    assert torch.equal(found["project.weight"], expected)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"other": torch.zeros(1)}, "1 unknown (other)"),
        ({f"other{n}": torch.zeros(1) for n in range(5)}, "5 unknown (other0, other1, other2, …)"),
        ({"block0/k.bias": None}, "1 missing (block0/k.bias)"),
        ({"other": torch.zeros(1), "block0/v.bias": None}, "1 unknown (other) and 1 missing (block0/v.bias)"),
        ({"block0/k.weight": torch.zeros(16)}, "block0/q.weight of shape 4 x 4, block0/k.weight of shape 16"),
        (
            {"block0/k.weight": torch.zeros(4, 3)},
            "block0/k.weight of shape 4 x 3, block0/v.weight of shape 4 x 4",
        ),
        ({f"block0/{n}.bias": torch.tensor(0.0) for n in "qkv"}, "block0/q.bias of shape ()"),
        ({"conv.weight": torch.zeros(4, 2, 3, 2)}, "conv.weight of shape 4 x 2 x 3 x 2"),
        ({"cls": torch.zeros(4)}, "cls of shape 4"),
    ],
    ids=["one", "many", "missing", "both", "flat", "narrow", "single", "swapped", "axes"],
)
def test_what_does_not_fit_is_named(change: dict[str, torch.Tensor | None], said: str) -> None:
    tensors = {name: tensor for name, tensor in {**theirs(), **change}.items() if tensor is not None}
    with pytest.raises(RunError) as caught:
        read(tensors)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_is_dropped_is_no_error() -> None:
    extra = {"pool.weight": torch.zeros(1), "pool.bias": torch.zeros(1)}
    assert read({**theirs(), **extra}, dropped=("pool.*",)).keys() == read(theirs()).keys()


def test_what_their_names_cannot_say_is_listed() -> None:
    with pytest.raises(RunError, match=r"1 unknown \(scale\)"):
        names.write({"scale": torch.zeros(1)}, ROWS, source="file", axes=AXES)


class Model(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.token = nn.Parameter(torch.zeros(4))
        self.other = nn.Parameter(torch.zeros(4))


def test_a_model_is_filled_whole_or_not_at_all() -> None:
    model = Model()
    with pytest.raises(RunError, match=r"1 missing \(other\)"):
        names.fill(model, {"token": torch.ones(4)}, ROWS, source="file")
    with pytest.raises(RunError, match="cls of shape 3, expected 4"):
        names.fill(model, {"token": torch.ones(3), "other": torch.ones(4)}, ROWS, source="file")
    assert not model.token.any()
    names.fill(model, {"token": torch.ones(4).half(), "other": torch.ones(4)}, ROWS, source="file")
    assert model.token.dtype == torch.float32
    names.fill(model, {"token": torch.ones(4).double(), "other": torch.ones(4)}, ROWS, source="file")
    assert model.token.dtype == torch.float64
