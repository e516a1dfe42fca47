"""Parts that the pages of trainings share: curves, cost, network."""

from __future__ import annotations

from kakera.commands.pages import tables
from kakera.commands.pages.history import History
from kakera.formats.bundle import Pretrained
from kakera.formats.native import count_parameters
from kakera.reports import html
from kakera.reports.plot import Line, plot
from kakera.training.device import device_of
from kakera.training.lora import count_trained
from kakera.training.options import FinetuneOptions, LearningOptions


def loss_curves(history: History, loss: str = "cross-entropy") -> str:
    """Return a plot of the loss in training, and on the samples measured during training.

    `loss` is the loss of training; that on the samples is always the cross entropy.

    Example:

        >>> history = History(({"epoch": 1, "loss": 2.3}, {"epoch": 2, "loss": 1.1}))
        >>> "Loss after each epoch." in loss_curves(history)
        True
    """
    other = "" if loss == "cross-entropy" else "cross entropy of "
    lines = [Line(f"{loss if other else 'training'} loss, with augmentation", history.points("loss"))]
    names = {
        "train_loss": f"{other}training files without augmentation",
        "val_loss": f"{other}validation files",
    }
    lines += [Line(name, history.points(key)) for key, name in names.items()]
    drawn = plot([line for line in lines if line.points], x="epoch", y="loss")
    return (
        html.figure(drawn, caption="Loss after each epoch.") if drawn else html.note("No epoch was logged.")
    )


def cost(history: History, saved: Pretrained, options: LearningOptions, pictures: int, kind: str) -> str:
    """Return a table of training time, steps, speed, device and number of weights.

    `pictures` is the number of training files, and `kind` the plural noun for them.

    Example:

        >>> from kakera import Classifier, InputSpec
        >>> model = Classifier("nano", 2, channels=1, image_size=28)
        >>> saved = Pretrained(model, InputSpec(1, 28, 28, (0.5,), (0.5,)))
        >>> history = History(({"epoch": 1, "seconds": 2.0, "step": 40},))
        >>> "2 seconds" in cost(history, saved, LearningOptions("pictures", device="cpu"), 1000, "pictures")
        True
    """
    batch, steps, seconds = min(options.batch_size, pictures), history.steps, history.seconds
    weights = count_parameters(saved.model)
    rows = [
        ("quantity", "value"),
        ("training time", tables.words(seconds)),
        ("steps", f"{steps}, with {batch} {kind} per step"),
        ("speed", f"{steps * batch / seconds:.0f} {kind} per second" if seconds else "–"),
        ("device", device_of(options.device).type),
        ("weights", f"{weights / 1e6:.2f} million, {weights * 4 / 1e6:.1f} MB"),
    ]
    return html.table(rows)


def network(saved: Pretrained) -> str:
    """Return a sentence about the network and its input size.

    Example:

        >>> from kakera import Classifier, InputSpec
        >>> model = Classifier("nano", 2, channels=1, image_size=28)
        >>> network(Pretrained(model, InputSpec(1, 28, 28, (0.5,), (0.5,))))[:72]
        'The network is a Vision Transformer with 3 layers, width 64 and 2 heads.'
    """
    inputs, encoder = saved.inputs, saved.model.backbone
    seen = f"{inputs.height} x {inputs.width} pixels"
    if inputs.sound is not None:
        seconds = inputs.sound.seconds(inputs.sound.samples(inputs.width))
        seen = f"{inputs.height} mel bands by {inputs.width} frames ({seconds:.3g} s)"
    if encoder is None:
        return f"The network is a ResNet with an input of {seen}."
    shape = encoder.config
    patch = " x ".join(map(str, shape.patch))
    return (
        f"The network is a Vision Transformer with {shape.depth} layers, width {shape.width} and "
        f"{shape.heads} heads. Its input is {seen}, in patches of {patch}."
    )


def trained_part(options: FinetuneOptions, saved: Pretrained) -> str:
    """Return a sentence about the part of the network that was trained, or "" for all of it.

    Example:

        >>> from kakera import Classifier, InputSpec
        >>> model = Classifier("nano", 2, channels=1, image_size=28)
        >>> saved = Pretrained(model, InputSpec(1, 28, 28, (0.5,), (0.5,)))
        >>> trained_part(FinetuneOptions("demo", lora_rank=4), saved)
        ' LoRA of rank 4 trained 0.01 million weights; the others are those of the start.'
    """
    if options.lora_rank:
        count = count_trained(saved.model, options) / 1e6
        rank = f"LoRA of rank {options.lora_rank} trained {count:.2f} million weights"
        return f" {rank}; the others are those of the start."
    if options.freeze:
        return f" The lowest {options.freeze} layers and the patch embedding are those of the start."
    return ""
