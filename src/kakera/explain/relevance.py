"""The relevance of patches for a class: attention weighted by its gradient."""

from __future__ import annotations

from typing import Any

import torch
from einops import rearrange
from jaxtyping import Float, Num
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from kakera.explain.activations import Array, require_between
from kakera.explain.extent import ValidArea
from kakera.inputs import InputSpec
from kakera.model.classifier import Classifier, pooled_tokens
from kakera.model.trace import Trace


def relevance(
    model: Classifier,
    inputs: InputSpec,
    picture: Num[Tensor, "c H W"],
    target: int,
    width: int | None = None,
) -> Array:
    """Return the contribution of each patch to the logit of class `target`, (rows, cols), 0 or more.

    Chefer, Gur and Wolf 2021, "Generic attention-model explainability", Sec. 3.2: R = I, then for each layer
    R ← R + Ē R, where Ē is the mean over the heads of the positive part of a_ij · ∂logit/∂a_ij. The result is
    read where the head of the model reads: the rows of class tokens, the mean of the patches' rows, or the
    row of the probe of an attention pooling, which is one more layer: Ē R. A head that reads two of them has
    their sum. The own share I of class tokens and patches is left out.

    `picture` (c, H, W) has stored values. `width` is the number of pixel columns before padding, see
    `encode`. Raises OptionError for a class that does not exist.

    Example:

        >>> inputs = InputSpec(channels=1, height=8, width=8, mean=(0.5,), std=(0.25,))
        >>> model = Classifier("nano", classes=3, channels=1, image_size=8, seed=0)
        >>> relevance(model, inputs, torch.zeros(1, 8, 8), target=2).shape
        (2, 2)
    """
    require_between("class", target, 0, model.classes - 1)
    layers, extent = range(1, model.encoder.config.depth + 1), ValidArea.of(model.encoder, width)
    trace = Trace(attention=layers, pooling=layers)
    probe = _Probe(model)
    with torch.enable_grad(), probe:
        # The input needs a gradient, so that gradients exist even if all weights are frozen.
        x = inputs.normalize(picture.unsqueeze(0).to(model.encoder.reference)).requires_grad_()
        logit = model(x, None, trace, extent.padding_mask(1, x.device))[0, target]
        heads = [trace.pooled[layer] for layer in layers] + probe.pooled
        slopes = torch.autograd.grad(logit, heads)
    prefix = model.encoder.config.prefix_tokens
    own = torch.eye(prefix + extent.grid.count, dtype=torch.float64, device=logit.device)
    reach = own
    for layer, slope in zip(layers, slopes[: len(layers)], strict=True):
        reach = reach + _useful(trace.attention[layer], trace.values[layer], slope) @ reach
    row = _read(model, reach - own)
    if probe.pooled:
        slope = rearrange(slopes[-1], "b m (h e) -> b h m e", h=probe.heads)
        row = row + (_useful(*probe.attention(), slope) @ reach[prefix:])[0]
    return row[prefix:].reshape(extent.grid.rows, extent.grid.cols).cpu().numpy()


def _useful(
    attention: Float[Tensor, "1 h m n"], values: Float[Tensor, "1 h n e"], slope: Float[Tensor, "1 h m e"]
) -> Float[Tensor, "m n"]:
    """Return Ē, the mean over the heads of the positive part of a_ij · ∂logit/∂a_ij."""
    change = slope @ values.detach().transpose(-2, -1)  # ∂logit/∂a_ij = (∂logit/∂h_i)ᵀ v_j
    return (attention.detach() * change).clamp(min=0)[0].double().mean(dim=0)


def _read(model: Classifier, rows: Float[Tensor, "n n"]) -> Float[Tensor, " n"]:
    """Return the sum of the mean rows of class tokens and of patches, as far as the head reads them."""
    config, pool = model.encoder.config, model.pool
    found, first = torch.zeros_like(rows[0]), pooled_tokens(config, pool)
    if " and " in pool:  # "class and mean", "class and attention"
        first = config.class_tokens
    if first:
        found = found + rows[:first].mean(dim=0)
    return found + rows[config.prefix_tokens :].mean(dim=0) if pool.endswith("mean") else found


class _Probe:
    """The attention of the probe of an attention pooling, recorded inside the `with` block.

    `pooled` has the pooled values (b, 1, d) of its heads; it is empty for a head without such a pooling.
    """

    def __init__(self, model: Classifier) -> None:
        pool = model.encoder.attention_pool if model.pool.endswith("attention") else None
        self._module = None if pool is None else pool.attention
        self._handles: list[RemovableHandle] = []
        self._inputs: tuple[Any, ...] = ()
        self.pooled: list[Tensor] = []

    @property
    def heads(self) -> int:
        """The number of heads of the pooling."""
        return 0 if self._module is None else self._module.heads

    def __enter__(self) -> None:
        if self._module is not None:
            self._handles = [
                self._module.register_forward_pre_hook(self._keep_inputs),
                self._module.out.register_forward_pre_hook(self._keep_pooled),
            ]

    def __exit__(self, *_: object) -> None:
        for handle in self._handles:
            handle.remove()

    def _keep_inputs(self, _: nn.Module, inputs: tuple[Any, ...]) -> None:
        self._inputs = inputs

    def _keep_pooled(self, _: nn.Module, inputs: tuple[Any, ...]) -> None:
        self.pooled.append(inputs[0])

    def attention(self) -> tuple[Float[Tensor, "b h 1 n"], Float[Tensor, "b h n e"]]:
        """Return the attention of the probe to each patch, and the values of the patches."""
        assert self._module is not None
        probe, tokens, padding = self._inputs
        with torch.no_grad():
            q = rearrange(self._module.q(probe), "b m (h e) -> b h m e", h=self.heads)
            k, v = rearrange(self._module.kv(tokens), "b n (two h e) -> two b h n e", two=2, h=self.heads)
            scores = q @ k.transpose(-2, -1) * q.shape[-1] ** -0.5
            if padding is not None:
                scores = scores.masked_fill(rearrange(padding, "b n -> b 1 1 n"), float("-inf"))
            return scores.softmax(dim=-1), v
