"""Losses of a classifier for uneven classes: focal loss and asymmetric loss.

A soft target (label smoothing, mixup) is a mixture of labels, and its loss is the same mixture of their
losses. With both gammas 0 and without a margin, the losses are the cross entropies.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from kakera.errors import OptionError
from kakera.training.options import FinetuneOptions

TINY = 1e-7  # smallest base of a power: the gradient of x ** gamma is infinite at 0 for a gamma below 1
OWNERS = {
    **{"gamma": "focal", "gamma_neg": "asymmetric", "gamma_pos": "asymmetric", "margin": "asymmetric"},
    "class_order": "ordinal",
}


def focal_loss(
    logits: Float[Tensor, "b classes"],
    targets: Float[Tensor, "b classes"],
    *,
    gamma: float = 2.0,
    weights: Float[Tensor, " classes"] | None = None,
) -> Float[Tensor, ""]:
    """Return the mean focal loss of files with one label each (Lin et al. 2017, eq. 4 and 5).

    It is the mean over the files of the sum over the classes of −w t (1 − p) ** gamma · ln p, in nats. p is
    the softmax of the logits, t the target, a row of which sums to 1, and w the weight of the class (α of the
    paper), 1 by default.

    Example:

        >>> logits, targets = torch.tensor([[2.0, 0.0], [0.0, 2.0]]), torch.eye(2)
        >>> focal_loss(logits, targets) < focal_loss(logits, targets, gamma=0.0)
        tensor(True)
    """
    log_p = functional.log_softmax(logits, dim=1)
    others = (-torch.expm1(log_p)).clamp(min=TINY)  # 1 − p without cancellation
    each = -targets * others**gamma * log_p
    return (each if weights is None else each * weights).sum(dim=1).mean()


def asymmetric_loss(
    logits: Float[Tensor, "b classes"],
    targets: Float[Tensor, "b classes"],
    *,
    gamma_neg: float = 4.0,
    gamma_pos: float = 1.0,
    margin: float = 0.05,
    weights: Float[Tensor, " classes"] | None = None,
) -> Float[Tensor, ""]:
    """Return the mean asymmetric loss of files with several labels (Ridnik et al. 2021, Sec. 2.2 to 2.4).

    It is the mean over files and classes of −w t (1 − p) ** gamma_pos · ln p, plus
    −(1 − t) q ** gamma_neg · ln(1 − q), with q = max(p − margin, 0). p is the sigmoid of the logit, t the
    target from 0 to 1, and w the weight of a true label, 1 by default. The paper sums over the classes, so
    its values are larger by their number. Equal gammas without a margin are the focal loss of several labels.

    Example:

        >>> logits, targets = torch.tensor([[-4.0, 3.0]]), torch.tensor([[0.0, 1.0]])
        >>> asymmetric_loss(logits, targets, gamma_neg=1.0, gamma_pos=0.0).item()  # 0.05 > p of the first
        0.024293...
    """
    log_p, log_not = functional.logsigmoid(logits), functional.logsigmoid(-logits)
    present = targets * (gamma_pos * log_not).exp() * log_p
    if margin:
        shifted = (log_p.exp() - margin).clamp(min=0.0)
        focus, log_not = shifted.clamp(min=TINY) ** gamma_neg, torch.log1p(-shifted)
    else:
        focus = (gamma_neg * log_p).exp()
    absent = (1 - targets) * focus * log_not
    return -((present if weights is None else present * weights) + absent).mean()


def classification_loss(
    logits: Float[Tensor, "b classes"],
    targets: Float[Tensor, "b classes"],
    options: FinetuneOptions,
    *,
    multi_label: bool,
    weights: Float[Tensor, " classes"] | None = None,
) -> Float[Tensor, ""]:
    """Return the mean loss of logits for soft targets: the one that `options.loss` names.

    `weights` are those of the classes, or of the true labels with several labels for a file. The ordinal loss
    is the cross entropy of its soft targets, see `ordinal_targets`.

    Example:

        >>> options = FinetuneOptions("pictures", loss="focal", gamma=1.0)
        >>> classification_loss(torch.zeros(1, 2), torch.eye(2)[:1], options, multi_label=False)
        tensor(0.3466)
    """
    gamma = options.gamma
    if options.loss == "asymmetric":
        gammas = {"gamma_neg": options.gamma_neg, "gamma_pos": options.gamma_pos}
        return asymmetric_loss(logits, targets, **gammas, margin=options.margin, weights=weights)
    if options.loss == "focal" and multi_label:
        same = {"gamma_neg": gamma, "gamma_pos": gamma}
        return asymmetric_loss(logits, targets, **same, margin=0.0, weights=weights)
    if options.loss == "focal":
        return focal_loss(logits, targets, gamma=gamma, weights=weights)
    if multi_label:
        return functional.binary_cross_entropy_with_logits(logits, targets, pos_weight=weights)
    return functional.cross_entropy(logits, targets, weights)


def require_loss(options: FinetuneOptions, *, multi_label: bool) -> None:
    """Raise OptionError for a loss that does not suit the data or another option.

    Example:

        >>> require_loss(FinetuneOptions("pictures", loss="focal"), multi_label=False)
    """
    if options.loss == "asymmetric" and not multi_label:
        got, expected = "asymmetric for files with one label", "cross-entropy or focal"
        raise OptionError("loss", got=got, expected=expected, do="choose one of them")
    if options.loss == "ordinal" and multi_label:
        got, expected = "ordinal for files with several labels", "one label for each file"
        raise OptionError("loss", got=got, expected=expected, do="choose cross-entropy or asymmetric")
    if options.loss not in ("cross-entropy", "ordinal") and options.class_balance:
        got = f"{options.class_balance:g} with the loss {options.loss}"
        do = "use --class-weight, or the loss cross-entropy"
        raise OptionError("class_balance", got=got, expected="0, as it adjusts a cross entropy", do=do)
    plain = FinetuneOptions("")
    for name, owner in OWNERS.items():
        value = getattr(options, name)
        if value != getattr(plain, name) and options.loss != owner:
            words = " ".join(value) if isinstance(value, tuple) else f"{value:g}"
            got, do = f"{words} with the loss {options.loss}", f"add --loss {owner}, or leave it out"
            raise OptionError(name, got=got, expected=f"the loss {owner}", do=do)
