"""The figures of `kakera explain` about the model itself, compared with a CNN."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from typing import cast

import numpy as np

from kakera.commands.explaining.gallery import Figure
from kakera.errors import OptionError
from kakera.explain import plots
from kakera.explain.activations import Activations
from kakera.explain.attention import attention_distances, even_distance
from kakera.explain.axes import Measure, axes_of
from kakera.explain.components import patch_filters, principal_filters
from kakera.explain.extent import ValidArea
from kakera.explain.lines import patch_lines, picture_lines
from kakera.explain.receptive import ReceptiveFields, cnn_fields, transformer_fields
from kakera.explain.similarity import position_similarity
from kakera.formats.bundle import Pretrained
from kakera.formats.native import seeded_generator
from kakera.model.resnet import ResNet
from kakera.training.preview import Preview

SMALL = 64  # largest side, in pixels, for which the CNN to compare with is the small one
TALL = 8  # a patch of at least this height, in pixels, has enough rows to compare lines inside it
FIELD_PICTURES = 4  # number of pictures over which effective receptive fields are averaged


def model_figures(
    saved: Pretrained, seen: Sequence[Activations], looked: Preview, token: int, cnn: Pretrained[ResNet]
) -> Iterator[Figure]:
    """Yield the figures about the model itself, measured on the pictures of the page."""
    encoder, axes = saved.encoder, seen[0].axes
    if len(seen) > 1:
        yield Figure(
            "across",
            f"Patch {token} of the first picture, compared with all pictures",
            "Cosine similarity of raw pixel vectors and of tokens of the last layer: light is similar, dark "
            "blue is opposite.",
            plots.similarity_across(seen, token),
        )
    yield Figure(
        "colours",
        "Tokens as colours",
        "The first three principal components of the tokens of all pictures, as red, green and blue. Patches "
        "of the same colour are similar for the model.",
        plots.colours(seen),
    )
    fields, width = _fields(saved, looked, cnn)
    for measure in axes.measures():
        yield _distance_plate(seen, fields, measure)
    yield Figure(
        "fields",
        "Effective receptive fields by depth",
        "How strongly each pixel changes the unit at the centre, averaged over "
        f"{len(looked.pictures[:FIELD_PICTURES])} pictures; light is strong.",
        plots.receptive_fields(fields, axes_of(saved.inputs, width)),
        {f"fields_{number}": each.maps for number, each in enumerate(fields.values())},
    )
    if encoder.positions is not None:
        similar = position_similarity(encoder)
        yield Figure(
            "positions",
            "Position embeddings",
            "Each small map is the similarity of one position embedding with all others; dark is "
            f"{similar.min():.2f}, light is 1.",
            plots.positions(similar, upwards=axes.upwards),
            {"positions": similar},
        )
    yield Figure(
        "filters",
        "Filters of the first layer",
        "The principal components of the patch embedding, the most important first; grey is 0.",
        plots.filters(principal_filters(encoder), upwards=axes.upwards),
        {"filters": patch_filters(encoder)},
    )
    yield _line_plate(saved)


def _fields(
    saved: Pretrained, looked: Preview, cnn: Pretrained[ResNet]
) -> tuple[dict[str, ReceptiveFields], int | None]:
    """Return the receptive fields of both networks, and the width in pixels that they are cut to.

    The width is that of the shortest of the pictures; None if no picture has padding.
    """
    encoder, some = saved.encoder, looked.pictures[:FIELD_PICTURES]
    ends = [width for width in looked.widths[:FIELD_PICTURES] if width is not None]
    width = ValidArea.of(encoder, min(ends)).width if ends else None
    seen = saved.inputs.normalize(some.to(encoder.reference))
    fields = {
        "Transformer": transformer_fields(encoder, seen, width),
        _name(cnn): cnn_fields(cnn.model, cnn.inputs.normalize(some.float())[..., :width]),
    }
    return fields, width


def _distance_plate(
    seen: Sequence[Activations], fields: dict[str, ReceptiveFields], measure: Measure
) -> Figure:
    """Return the figure of the distances of attention heads and receptive fields, in one measure."""
    reach = np.stack([attention_distances(each, measure.scale) for each in seen])
    name = f"distances-{measure.axis}" if measure.axis else "distances"
    along = f" along the axis of {measure.axis}" if measure.axis else ""
    return Figure(
        name,
        f"Attention distance{along}",
        "Each dot is the mean attention distance of one head (Dosovitskiy et al. 2021, Sec. 4.5). A head "
        "with equal attention to all patches has a distance of "
        f"{even_distance(seen[0], measure.scale):.3g} {measure.unit}. The curves are the mean distance in "
        "the effective receptive field (Luo et al. 2016). The field of a CNN grows block by block; a "
        "Transformer can see the whole picture from the first layer on.",
        plots.distances(seen, fields, measure),
        {f"attention_{name}".replace("-", "_"): reach.mean(axis=0)}
        | {
            f"field_{name}_{number}".replace("-", "_"): each.distances(measure.scale)
            for number, each in enumerate(fields.values())
        },
    )


def _line_plate(saved: Pretrained) -> Figure:
    """Return the figure of the lines of lecture L3, for the model and for an untrained copy of it."""
    encoder, within = saved.encoder, saved.encoder.config.patch[0] >= TALL
    untrained = copy.deepcopy(encoder)
    untrained.reset_parameters(seeded_generator(0))
    compare = patch_lines if within else picture_lines
    found = {
        "trained, last layer": compare(encoder, saved.inputs),
        "untrained, last layer": compare(untrained, saved.inputs),
    }
    near, far = np.stack([each.by_distance()[-1, [1, len(each.raw) // 2]] for each in found.values()], axis=1)
    where = "the patch at the centre" if within else "the picture"
    return Figure(
        "lines",
        "Why raw pixels make bad tokens",
        f"Each input is a white line on black through {where}, one pixel row high. As raw pixels, two lines "
        "on different rows have the inner product 0: one row apart is as different as ten rows. The curves "
        f"show the cosine similarity of the change that a line makes to the "
        f"{'token' if within else 'mean token'}. For lines one row apart it is {near[0]:.2f} (trained) and "
        f"{near[1]:.2f} (untrained); for lines half of the rows apart it is {far[0]:.2f} and {far[1]:.2f}. "
        "Lines at the same row of different patches have the same patch embedding. Lines at opposite edges "
        "can be similar again.",
        plots.lines(found),
        {
            "lines_raw": found["trained, last layer"].raw,
            "lines_trained": found["trained, last layer"].learned,
            "lines_untrained": found["untrained, last layer"].learned,
        },
    )


def untrained_cnn(saved: Pretrained) -> Pretrained[ResNet]:
    """Return a ResNet with initial weights for the same input as the model.

    Example:

        >>> from kakera import Classifier, InputSpec
        >>> network = Classifier("nano", 2, channels=1, image_size=28)
        >>> saved = Pretrained(network, InputSpec(1, 28, 28, (0.5,), (0.5,)), ("cat", "dog"))
        >>> untrained_cnn(saved).inputs.size
        (28, 28)
    """
    name = "resnet-micro" if max(saved.inputs.size) <= SMALL else "resnet-18"
    model = ResNet(name, channels=saved.inputs.channels, classes=1, seed=0)
    return Pretrained(model.eval(), saved.inputs)


def require_cnn(cnn: Pretrained, saved: Pretrained) -> Pretrained[ResNet]:
    """Return `cnn` itself. Raises OptionError if it is not a CNN for the channels and data of `saved`.

    Example:

        >>> from kakera import Classifier, InputSpec
        >>> network = Classifier("nano", 2, channels=1, image_size=28)
        >>> saved = Pretrained(network, InputSpec(1, 28, 28, (0.5,), (0.5,)), ("cat", "dog"))
        >>> cnn = untrained_cnn(saved)
        >>> require_cnn(cnn, saved) is cnn
        True
    """
    same = (cnn.inputs.channels, cnn.inputs.sound) == (saved.inputs.channels, saved.inputs.sound)
    if cnn.model.has_attention or not same:
        kind = "another network" if cnn.model.has_attention else "a ResNet"
        raise OptionError(
            "--cnn",
            got=f"{kind} for {cnn.inputs.channels} channels",
            expected=f"a ResNet for {saved.inputs.channels} channels and the same kind of data",
            do="choose another run, or remove --cnn",
        )
    return cast("Pretrained[ResNet]", cnn)


def _name(cnn: Pretrained) -> str:
    return "ResNet" if cnn.classes else "ResNet, untrained"
