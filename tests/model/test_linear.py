import pytest
import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from kakera.model import linear as module
from kakera.model.linear import Linear, is_supported, linear
from tests.model.models import far, seeded

pytestmark = pytest.mark.skipif(not module.HAS_ONEDNN, reason="this build of torch has no oneDNN")


@pytest.fixture(autouse=True)
def _on_any_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FASTER", True)


IN, OUT = 256, 640  # large enough for gradients to take the same way
THENS = {
    "nothing": lambda y: y,
    "gelu": functional.gelu,
    "gelu_tanh": lambda y: functional.gelu(y, approximate="tanh"),
}


def given(*shape: int, learns: bool = False) -> tuple[Tensor, Tensor, Tensor]:
    draw = seeded(1)
    tensors = (
        torch.randn(*shape, IN, generator=draw),
        torch.randn(OUT, IN, generator=draw) / IN**0.5,
        torch.randn(OUT, generator=draw),
    )
    return tuple(tensor.requires_grad_(learns) for tensor in tensors)


@pytest.mark.parametrize("then", THENS)
@pytest.mark.parametrize("shape", [(7,), (1, 1), (2, 5), (0, 3), ()])
def test_the_other_library_computes_the_same(then: str, shape: tuple[int, ...]) -> None:
    x, weight, bias = given(*shape)
    assert is_supported(x, weight)
    exact = THENS[then](functional.linear(x.double(), weight.double(), bias.double()))
    found = linear(x, weight, bias, then)
    assert found.shape == exact.shape
    torch.testing.assert_close(found.double(), exact, rtol=0, atol=1e-5)


def test_rows_that_do_not_lie_side_by_side_and_parts_of_weights_are_taken_as_they_are() -> None:
    x, weight, bias = given(3, 8)
    for some in (x[:, 2], x[:, ::3], x.transpose(0, 1)):
        found = linear(some, weight[100:], bias[100:])
        assert far(found, functional.linear(some, weight[100:], bias[100:]).numpy()) < 1e-5


@pytest.mark.parametrize("then", THENS)
def test_its_gradients_are_those_of_torch_and_so_are_theirs(then: str) -> None:
    tensors = given(2, 5, learns=True)
    assert tensors[1].numel() >= module.LARGE
    slope = torch.randn(2, 5, OUT, generator=seeded(2))
    ours = torch.autograd.grad(linear(*tensors, then), tensors, slope, create_graph=True)
    theirs = torch.autograd.grad(THENS[then](functional.linear(*tensors)), tensors, slope, create_graph=True)
    for mine, other in zip(ours, theirs, strict=True):
        assert far(mine.detach(), other.detach().numpy()) < 1e-4
    second = torch.autograd.grad(ours[0].square().sum(), tensors[1])[0]
    other = torch.autograd.grad(theirs[0].square().sum(), tensors[1])[0]
    assert far(second, other.numpy()) < 1e-3


def test_only_what_learns_gets_a_gradient() -> None:
    x, weight, bias = given(4)
    linear(x, weight, bias.requires_grad_()).sum().backward()
    assert (x.grad, weight.grad) == (None, None)
    assert bias.grad is not None
    assert far(bias.grad, torch.full((OUT,), 4.0).numpy()) == 0


def test_a_map_without_a_bias_has_gradients_too() -> None:
    x, weight, _ = given(4, learns=True)
    linear(x, weight, None).sum().backward()
    assert weight.grad is not None
    assert far(weight.grad, x.detach().sum(dim=0).expand(OUT, -1).numpy()) < 1e-5


@pytest.mark.filterwarnings("ignore:There is a performance drop")
def test_gradients_of_each_picture_can_be_had_at_once() -> None:
    x, weight, bias = given(3, 2)

    def loss(weight: Tensor, x: Tensor) -> Tensor:
        return linear(x, weight, bias).square().mean()

    each = torch.func.vmap(torch.func.grad(loss), (None, 0))(weight, x)
    for found, one in zip(each, x, strict=True):
        assert far(found, torch.func.grad(loss)(weight, one).numpy()) < 1e-5


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_other_precisions_go_the_way_of_torch(dtype: torch.dtype) -> None:
    x, weight, bias = (tensor.to(dtype) for tensor in given(2))
    assert not is_supported(x, weight)
    assert torch.equal(linear(x, weight, bias), functional.linear(x, weight, bias))


def test_autocast_goes_the_way_of_torch() -> None:
    x, weight, bias = given(2)
    with torch.autocast("cpu", torch.bfloat16):
        assert linear(x, weight, bias).dtype == torch.bfloat16


def test_a_counter_of_operations_sees_the_same_product() -> None:
    layer, x = Linear(IN, OUT), torch.zeros(2, 3, IN)
    counts = []
    for one in (layer, torch.nn.Linear(IN, OUT)):
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            one(x)
        counts.append(counter.get_total_flops())
    assert counts == [2 * 6 * IN * OUT] * 2
