import numpy as np
import pytest
import torch
from einops import rearrange
from hypothesis import given
from hypothesis import strategies as st
from jaxtyping import TypeCheckError
from torch.nn import functional

from kakera.grid import Grid
from kakera.model.patches import PatchEmbedding, gather_tokens, patchify, unpatchify
from tests.model import lecture
from tests.model.models import drawn, every_input, far, pictures
from tests.refusals import refused

small = st.integers(1, 5)


def test_a_patch_vector_is_row_by_row_and_channels_last() -> None:
    red = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    picture = torch.stack([red, red + 10, red + 20])[None]
    assert patchify(picture, (2, 2)).tolist() == [[[1, 11, 21, 2, 12, 22, 3, 13, 23, 4, 14, 24]]]


@every_input
def test_every_patch_vector_is_the_lectures(
    channels: int, size: tuple[int, int], patch: tuple[int, int]
) -> None:
    batch = pictures(2, channels, size)
    for picture, vectors in zip(batch, patchify(batch, patch), strict=True):
        np.testing.assert_array_equal(vectors, lecture.patch_vectors(picture.numpy(), patch))


def test_a_colour_patch_of_16_has_768_values() -> None:
    assert patchify(torch.zeros(1, 3, 224, 224), (16, 16)).shape == (1, 196, 768)


def test_patches_are_numbered_row_by_row_from_the_top_left() -> None:
    number = torch.arange(6.0).reshape(1, 1, 2, 3)
    picture = number.repeat_interleave(4, dim=2).repeat_interleave(5, dim=3)
    assert patchify(picture, (4, 5))[0, :, 0].tolist() == [0, 1, 2, 3, 4, 5]


@given(b=small, c=small, rows=small, cols=small, ph=small, pw=small)
def test_join_is_the_inverse_of_cut(b: int, c: int, rows: int, cols: int, ph: int, pw: int) -> None:
    picture = torch.arange(b * c * rows * ph * cols * pw).float().reshape(b, c, rows * ph, cols * pw)
    assert torch.equal(unpatchify(patchify(picture, (ph, pw)), Grid(rows, cols), (ph, pw)), picture)


@given(b=small, c=small, rows=small, cols=small, ph=small, pw=small)
def test_cut_is_the_inverse_of_join(b: int, c: int, rows: int, cols: int, ph: int, pw: int) -> None:
    vectors = torch.arange(b * rows * cols * ph * pw * c).float().reshape(b, rows * cols, ph * pw * c)
    assert torch.equal(patchify(unpatchify(vectors, Grid(rows, cols), (ph, pw)), (ph, pw)), vectors)


def test_white_lines_on_different_rows_have_nothing_in_common() -> None:
    # Lecture L3: black patches of 16 × 16, patch i with a white line on row i.
    picture = torch.zeros(1, 1, 16, 16 * 16)
    for i in range(16):
        picture[0, 0, i, 16 * i : 16 * (i + 1)] = 1
    x = patchify(picture, (16, 16))[0]
    assert torch.equal(x @ x.T, 16 * torch.eye(16))


def test_a_patch_that_does_not_divide_the_picture_is_refused() -> None:
    with refused("patch", got="4 x 4 for a picture of 8 x 10"):
        patchify(torch.zeros(1, 1, 8, 10), (4, 4))


def test_shapes_are_checked_while_testing() -> None:
    with pytest.raises(TypeCheckError):
        patchify(torch.zeros(3, 8, 8), (4, 4))


def test_pick_takes_each_pictures_own_tokens_in_the_order_asked_for() -> None:
    tokens = torch.arange(12.0).reshape(2, 3, 2)
    assert gather_tokens(tokens, torch.tensor([[2, 0], [1, 1]])).tolist() == [
        [[4, 5], [0, 1]],
        [[8, 9], [8, 9]],
    ]


@every_input
def test_an_embedding_is_the_patch_vector_times_a_matrix(
    channels: int, size: tuple[int, int], patch: tuple[int, int]
) -> None:
    embedding, batch = drawn(PatchEmbedding(patch, channels, width=7)), pictures(2, channels, size)
    weights = lecture.weights_of(embedding)
    for picture, z in zip(batch, embedding(batch), strict=True):
        vectors = lecture.patch_vectors(picture.numpy(), patch)
        assert far(z, lecture.linear(vectors, weights, "project")) < 1e-12


def test_an_embedding_is_a_convolution_with_the_weights_put_in_its_order() -> None:
    embedding, batch = drawn(PatchEmbedding((2, 3), 3, width=7)), pictures()
    kernel = embedding.project.weight.reshape(7, 2, 3, 3).permute(0, 3, 1, 2)
    wanted = functional.conv2d(batch, kernel, embedding.project.bias, stride=(2, 3))
    assert far(embedding(batch), wanted.flatten(2).transpose(1, 2).detach()) < 1e-12


def test_only_the_patches_to_keep_are_embedded() -> None:
    embedding, batch = drawn(PatchEmbedding((2, 3), 3, width=7)), pictures()
    keep = torch.tensor([[0, 19, 3], [7, 8, 9]])
    whole, part = embedding(batch), embedding(batch, keep)
    assert (
        far(part, torch.stack([z[numbers] for z, numbers in zip(whole, keep, strict=True)]).detach()) < 1e-12
    )


def test_overlapping_patches_are_what_a_convolution_with_a_stride_sees() -> None:
    embedding = PatchEmbedding((4, 6), channels=2, width=5, stride=(3, 2)).double()
    values = torch.randn(2, 2, 12, 17, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    kernel = rearrange(embedding.project.weight, "d (ph pw c) -> d c ph pw", ph=4, pw=6)
    expected = functional.conv2d(values, kernel, embedding.project.bias, stride=(3, 2))
    found = embedding(values)
    assert found.shape == (2, 3 * 6, 5)
    assert torch.allclose(found, rearrange(expected, "b d rows cols -> b (rows cols) d"), atol=1e-12)


def test_the_patches_of_ast() -> None:
    """128 bands × 1024 frames, 16 × 16 every 10 (Gong et al. 2021): 12 × 101."""
    assert Grid.cover((128, 1024), (16, 16), (10, 10)) == Grid(12, 101)
    assert patchify(torch.zeros(1, 1, 128, 1024), (16, 16), (10, 10)).shape == (1, 1212, 256)


@pytest.mark.parametrize("stride", [(0, 1), (1, 5), (-1, 2)])
def test_a_stride_that_skips_or_stands_still_is_refused(stride: tuple[int, int]) -> None:
    with refused("stride", got=f"{stride[0]} x {stride[1]}", expected="to the patch size"):
        Grid.cover((8, 8), (4, 4), stride)
