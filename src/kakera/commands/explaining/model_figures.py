"""The plates of `kakera explain` that show the model itself, a CNN beside it."""

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
from kakera.explain.components import filters, principal_filters
from kakera.explain.extent import ValidArea
from kakera.explain.lines import patch_lines, picture_lines
from kakera.explain.receptive import ReceptiveFields, cnn_fields, transformer_fields
from kakera.explain.similarity import position_similarity
from kakera.formats.bundle import Pretrained
from kakera.formats.native import seeded_generator
from kakera.model.resnet import ResNet
from kakera.training.preview import Preview

SMALL = 64  # pixels: up to here the CNN to compare with is a small one
TALL = 8  # pixels: patches from this height on have rows enough to compare lines within one
FIELD_PICTURES = 4  # effective receptive fields are means over so many pictures


def model_figures(
    saved: Pretrained, seen: Sequence[Activations], looked: Preview, token: int, cnn: Pretrained[ResNet]
) -> Iterator[Figure]:
    """The plates of the model itself, measured on pictures that were looked at."""
    encoder, axes = saved.encoder, seen[0].axes
    if len(seen) > 1:
        yield Figure(
            "across",
            f"Patch {token} of the first picture, across pictures",
            "Brown is alike, blue opposite: raw vectors, and tokens of the last layer.",
            plots.similarity_across(seen, token),
        )
    yield Figure(
        "colours",
        "Tokens as colours",
        "The first three principal components of the tokens of all pictures, as red, green and blue: what "
        "has the same colour is alike for the model.",
        plots.colours(seen),
    )
    fields, width = _fields(saved, looked, cnn)
    for measure in axes.measures():
        yield _distance_plate(seen, fields, measure)
    yield Figure(
        "fields",
        "Effective receptive fields by depth",
        f"Which pixels move the unit at the centre, over {len(looked.pictures[:FIELD_PICTURES])} pictures; "
        "light is much.",
        plots.receptive_fields(fields, axes_of(saved.inputs, width)),
        {f"fields_{number}": each.maps for number, each in enumerate(fields.values())},
    )
    similar = position_similarity(encoder)
    yield Figure(
        "positions",
        "Position vectors",
        "Each small map: how like the position vector of that place the others are; dark is "
        f"{similar.min():.2f}, light 1.",
        plots.positions(similar, upwards=axes.upwards),
        {"positions": similar},
    )
    yield Figure(
        "filters",
        "Filters of the first layer",
        "Principal components of the patch embedding, the most important first; grey is 0.",
        plots.filters(principal_filters(encoder), upwards=axes.upwards),
        {"filters": filters(encoder)},
    )
    yield _line_plate(saved)


def _fields(
    saved: Pretrained, looked: Preview, cnn: Pretrained[ResNet]
) -> tuple[dict[str, ReceptiveFields], int | None]:
    """Of both networks, over some of the pictures, cut to the shortest of these; and how wide that is."""
    encoder, some = saved.encoder, looked.pictures[:FIELD_PICTURES]
    ends = [width for width in looked.widths[:FIELD_PICTURES] if width is not None]
    width = ValidArea.of(encoder, min(ends)).width if ends else None
    seen = saved.inputs.normalize(some.to(encoder.class_token))
    fields = {
        "Transformer": transformer_fields(encoder, seen, width),
        _name(cnn): cnn_fields(cnn.model, cnn.inputs.normalize(some.float())[..., :width]),
    }
    return fields, width


def _distance_plate(
    seen: Sequence[Activations], fields: dict[str, ReceptiveFields], measure: Measure
) -> Figure:
    """How far heads and receptive fields reach, in one measure."""
    reach = np.stack([attention_distances(each, measure.scale) for each in seen])
    name = f"distances-{measure.axis}" if measure.axis else "distances"
    along = f" along the axis of {measure.axis}" if measure.axis else ""
    return Figure(
        name,
        f"How far it looks{along}",
        "Each dot is a head: the mean distance it looks over (Dosovitskiy et al. 2021, Sec. 4.5). A head "
        f"that looks everywhere alike would stand at {even_distance(seen[0], measure.scale):.3g} "
        f"{measure.unit}. The curves are the mean distance in the effective receptive field (Luo et al. "
        "2016): a CNN has to grow it block by block, a Transformer may see the whole picture from the first "
        "layer on.",
        plots.distances(seen, fields, measure),
        {f"attention_{name}".replace("-", "_"): reach.mean(axis=0)}
        | {
            f"field_{name}_{number}".replace("-", "_"): each.distances(measure.scale)
            for number, each in enumerate(fields.values())
        },
    )


def _line_plate(saved: Pretrained) -> Figure:
    """The lecture's lines (L3), in the model and in the same network before training."""
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
        f"White lines on black through {where}, one row each. Raw, lines on different rows have inner "
        "product 0: one row apart is as different as ten. The curves show the cosine of what a line adds to "
        f"the {'token' if within else 'mean token'}. One row apart it is {near[0]:.2f} trained and "
        f"{near[1]:.2f} untrained, half of the rows apart {far[0]:.2f} and {far[1]:.2f}. Lines at the same "
        "row of different patches share an embedding; lines at opposite edges may be alike again.",
        plots.lines(found),
        {
            "lines_raw": found["trained, last layer"].raw,
            "lines_trained": found["trained, last layer"].learned,
            "lines_untrained": found["untrained, last layer"].learned,
        },
    )


def untrained_cnn(saved: Pretrained) -> Pretrained[ResNet]:
    """A ResNet with initial weights that takes what the model takes."""
    name = "resnet-micro" if max(saved.inputs.size) <= SMALL else "resnet-18"
    model = ResNet(name, channels=saved.inputs.channels, classes=1, seed=0)
    return Pretrained(model.eval(), saved.inputs)


def require_cnn(cnn: Pretrained, saved: Pretrained) -> Pretrained[ResNet]:
    """The run itself. Raises OptionError where it is no CNN for the same channels."""
    same = (cnn.inputs.channels, cnn.inputs.sound) == (saved.inputs.channels, saved.inputs.sound)
    if cnn.model.has_attention or not same:
        kind = "another network" if cnn.model.has_attention else "a ResNet"
        raise OptionError(
            "--cnn",
            got=f"{kind} for {cnn.inputs.channels} channels",
            expected=f"a ResNet for {saved.inputs.channels}, of the same kind of data",
            do="name another run, or none",
        )
    return cast("Pretrained[ResNet]", cnn)


def _name(cnn: Pretrained) -> str:
    return "ResNet" if cnn.classes else "ResNet, untrained"
