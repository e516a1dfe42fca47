import torch

from kakera.model.attention import Block
from kakera.model.configs import vit_config
from kakera.model.trace import Trace
from kakera.model.vit import ViT
from tests.model import lecture
from tests.model.models import SHAPE, drawn, encoder, far, hidden_in, pictures, seeded


def test_nothing_is_recorded_unless_asked_for() -> None:
    trace = Trace()
    encoder()(pictures(), trace=trace)
    assert trace.attention == {}
    assert trace.tokens == {}


def test_only_the_layers_asked_for_are_recorded() -> None:
    trace = Trace(attention=[2], tokens=(0, 1))
    encoder()(pictures(), trace=trace)
    assert set(trace.attention) == {2}
    assert set(trace.tokens) == {0, 1}


def test_recording_changes_no_output() -> None:
    model, batch = encoder(), pictures()
    trace = Trace(attention=range(1, 3), tokens=range(3))
    assert torch.equal(model(batch, trace=trace), model(batch))


def test_the_first_tokens_are_what_enters_the_first_layer() -> None:
    model, batch, trace = encoder(), pictures(), Trace(tokens=[0])
    model(batch, trace=trace)
    assert torch.equal(trace.tokens[0], model.embed(batch))


def test_the_last_tokens_are_what_the_final_norm_reads() -> None:
    model, batch, trace = encoder(), pictures(), Trace(tokens=[SHAPE.depth])
    y = model(batch, trace=trace)
    assert torch.equal(model.norm(trace.tokens[SHAPE.depth]), y)


def test_each_layer_leads_from_its_tokens_to_the_next() -> None:
    model, trace = encoder(), Trace(tokens=range(SHAPE.depth + 1))
    model(pictures(), trace=trace)
    for number, layer in enumerate(model.layers, start=1):
        assert torch.equal(layer(trace.tokens[number - 1]), trace.tokens[number])


def test_the_attention_of_a_layer_is_the_lectures_softmax_of_its_tokens() -> None:
    model, trace = encoder(), Trace(attention=[1, 2], tokens=[0, 1])
    model(pictures(), trace=trace)
    for number in (1, 2):
        weights = lecture.under(lecture.weights_of(model), f"layers.{number - 1}.")
        for z, a in zip(trace.tokens[number - 1], trace.attention[number], strict=True):
            read = lecture.norm(z.detach().numpy(), weights, "norm1")
            wanted = lecture.attention_weights(read, lecture.under(weights, "attention."), SHAPE.heads)
            assert far(a, wanted) < 1e-12


def test_values_weighted_with_attention_are_what_was_pooled() -> None:
    trace = Trace(attention=[2], pooling=[2])
    encoder()(pictures(), trace=trace)
    assert set(trace.values) == set(trace.pooled) == {2}
    assert far(trace.pooled[2], trace.attention[2] @ trace.values[2]) < 1e-12


def test_in_float32_record_formula_and_fused_kernel_agree_to_1e_6_on_every_layer() -> None:
    shape = vit_config("tiny")
    model = drawn(ViT(shape, channels=3, image_size=(112, 112))).float()
    every = range(1, shape.depth + 1)
    trace = Trace(attention=every, pooling=every, tokens=range(shape.depth + 1))
    with torch.no_grad():
        model(torch.rand(1, 3, 112, 112, generator=seeded(0)), trace=trace)
    for number in every:
        layer = model.layers[number - 1]
        assert isinstance(layer, Block)
        with torch.no_grad():
            qkv = layer.attention.qkv(layer.norm1(trace.tokens[number - 1])).double()
        q, k, v = qkv.reshape(1, 50, 3, shape.heads, -1).permute(2, 0, 3, 1, 4)
        wanted = torch.exp(q @ k.mT / q.shape[-1] ** 0.5)
        wanted = wanted / wanted.sum(dim=-1, keepdim=True)
        assert far(trace.attention[number], wanted) < 1e-6, number
        assert far(trace.pooled[number], wanted @ v) < 1e-6 * float(v.abs().max()), number


def test_every_row_of_attention_sums_to_one() -> None:
    trace = Trace(attention=[1])
    encoder()(pictures(), trace=trace)
    assert trace.attention[1].shape == (2, SHAPE.heads, 21, 21)
    torch.testing.assert_close(trace.attention[1].sum(-1), torch.ones(2, 3, 21, dtype=torch.float64))


def test_attention_and_tokens_are_those_of_the_visible_patches() -> None:
    model, trace = encoder(), Trace(attention=[1], tokens=[1])
    model(pictures(), hidden_in(model.grid, ratio=0.6), trace=trace)
    assert trace.attention[1].shape == (2, SHAPE.heads, 9, 9)
    assert trace.tokens[1].shape == (2, 9, SHAPE.width)
