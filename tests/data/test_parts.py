import numpy as np
import pytest

from kakera.data.holders import ArrayPictures
from kakera.data.sources.arrays import join_parts
from kakera.errors import DataError

A = np.random.default_rng(0).integers(0, 256, (3, 4, 5, 1), dtype=np.uint8)
B = 255 - A[:2]
LABELS = np.array([0, 2, 1])


def test_pieces_are_joined_in_their_order_and_named_by_title() -> None:
    dataset, divided = join_parts("d", [("train", "one", A, LABELS), ("test", "two", B, LABELS[:2])])
    assert divided
    assert dataset.split.tolist() == ["train"] * 3 + ["test"] * 2
    assert [dataset.pictures.name(i) for i in range(5)] == ["one[0]", "one[1]", "one[2]", "two[0]", "two[1]"]
    assert np.array_equal([dataset.pictures.read(i) for i in range(5)], np.concatenate([A, B]))
    assert dataset.labels is not None
    assert dataset.labels.tolist() == [0, 2, 1, 0, 2]


@pytest.mark.parametrize("parts", [("",), ("train", "")])
def test_a_piece_of_no_part_is_not_split_yet(parts: tuple[str, ...]) -> None:
    dataset, divided = join_parts("d", [(part, "t", A, None) for part in parts])
    assert not divided
    assert set(dataset.split) == {"train"}


def test_a_piece_without_labels_beside_one_with_has_minus_one() -> None:
    dataset, _ = join_parts("d", [("train", "one", A, None), ("test", "two", B, LABELS[:2])])
    assert dataset.labelled.tolist() == [3, 4]


def test_without_any_labels_there_are_no_classes() -> None:
    dataset, _ = join_parts("d", [("train", "one", A, None)], ("x", "y", "z"))
    assert (dataset.labels, dataset.classes) == (None, ())


@pytest.mark.parametrize(
    ("given", "classes"),
    [(("x", "y", "z"), ("x", "y", "z")), (("x", "y"), ("0", "1", "2")), ((), ("0", "1", "2"))],
)
def test_classes_have_the_given_names_where_there_are_enough(
    given: tuple[str, ...], classes: tuple[str, ...]
) -> None:
    assert join_parts("d", [("train", "one", A, LABELS)], given)[0].classes == classes


@pytest.mark.parametrize(("other", "block"), [(B, True), (B[:, :2], False)])
def test_pictures_of_one_size_are_one_block(other: np.ndarray, block: bool) -> None:
    pictures = join_parts("d", [("train", "one", A, None), ("test", "two", other, None)])[0].pictures
    assert isinstance(pictures, ArrayPictures)
    assert (pictures.block is not None) == block
    assert np.array_equal(pictures.read(4), other[1])


def test_grey_and_colour_are_not_mixed() -> None:
    colour = np.repeat(B, 3, axis=-1)
    expected = "expected only grey or only colour pictures"
    with pytest.raises(DataError, match=f"d: got parts of 1 and 3 channels, {expected}"):
        join_parts("d", [("train", "one", A, None), ("test", "two", colour, None)])
