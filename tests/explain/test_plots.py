import numpy as np
import pytest
import torch
from PIL import Image

from kakera.explain import masks, plots
from kakera.explain.activations import encode
from kakera.explain.components import principal_filters
from kakera.explain.lines import patch_lines
from kakera.explain.receptive import transformer_fields
from kakera.explain.reconstruct import reconstruct
from kakera.explain.similarity import position_similarity
from tests.explain.test_reconstruct import autoencoder
from tests.explain.views import photo, spec, view
from tests.model.models import encoder, pictures
from tests.training.listeners import INPUTS
from tests.training.listeners import classifier as listener


def every() -> dict[str, Image.Image]:
    model = encoder()
    seen = [view(model), view(model, seed=6)]
    field = {"Transformer": transformer_fields(model, pictures())}
    return {
        "heads": plots.head_grid(seen[0]),
        "patch": plots.head_grid(seen[0], 7),
        "summary": plots.summary(seen[0], 1, np.ones((4, 5)), "bag"),
        "similarity": plots.similarity(seen[0], 7),
        "across": plots.similarity_across(seen, 20),
        "colours": plots.colours(seen),
        "positions": plots.positions(position_similarity(model)),
        "filters": plots.filters(principal_filters(model, 10)),
        "fields": plots.receptive_fields(field),
        "distances": plots.distances(seen, field),
        "lines": plots.lines({"one": patch_lines(model, spec())}),
    }


def test_every_view_is_drawn_in_colour_and_is_not_blank() -> None:
    for name, image in every().items():
        assert image.mode == "RGB", name
        assert np.asarray(image).std() > 5, name


def test_drawings_are_the_same_again() -> None:
    one, other = every(), every()
    assert all(np.array_equal(one[name], other[name]) for name in one)


def test_the_frame_stands_around_its_patch_and_nowhere_without_one() -> None:
    seen = view()
    assert not (np.asarray(plots.head_grid(seen)) == plots.FRAME).all(axis=2).any()
    assert (np.asarray(plots.head_grid(seen, 7)) == plots.FRAME).all(axis=2).any()


@pytest.mark.parametrize("normalised", [False, True])
def test_a_reconstruction_that_borrows_says_so_below(normalised: bool) -> None:
    model = autoencoder(3, norm_pix_loss=normalised)
    hidden = masks.random_masks(model.encoder.grid, 0.6, count=2)
    image = plots.reconstruction(reconstruct(model, spec(), photo(), hidden))
    rows = 2 * (14 * 8) + 6 + 13 + 12  # two tiles of 8 pixels enlarged 14 times, a gap, names
    assert (image.height > rows) == normalised


def test_a_shorter_recording_stands_beside_a_longer_one_in_its_own_length() -> None:
    values = torch.randn(1, 32, 80, generator=torch.Generator().manual_seed(0)) * 4 - 6
    model = listener().encoder
    seen = [encode(model, INPUTS, values), encode(model, INPUTS, values, 40)]
    drawn = np.asarray(plots.similarity_across(seen, 7).convert("L"))
    left = drawn.shape[1] - 2 * 280 - 6  # tiles of 112 x 280 and 112 x 140, six pixels between them
    for row in range(3):
        rows = drawn[row * 118 : row * 118 + 112]
        assert (rows[:, left : left + 280] < 255).mean() > 0.8
        assert (rows[:, left + 286 : left + 286 + 140] < 255).mean() > 0.8
        assert (rows[:, left + 286 + 140 :] == 255).all()
