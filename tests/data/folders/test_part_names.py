import pytest

from kakera.data.folders.part_names import part_of, parts_of


@pytest.mark.parametrize(
    ("name", "part"),
    [
        *(
            (name, "train")
            for name in ("train", "Training", "TRAIN", "train_set", "trainset", "train-images")
        ),
        *((name, "val") for name in ("val", "Valid", "validation", "dev", "val_data", "validate", "valset")),
        *((name, "test") for name in ("test", "Testing", "eval", "evaluation", " test ", "test images")),
        *(
            (name, None)
            for name in ("", "trains", "bicycle", "train2", "steam train", "set", "1", "tset", "dataset")
        ),
    ],
)
def test_a_part_is_known_by_its_words(name: str, part: str | None) -> None:
    assert part_of(name) == part


@pytest.mark.parametrize(
    ("names", "parts"),
    [
        (["seg_train", "seg_test", "seg_pred"], {"seg_train": "train", "seg_test": "test"}),
        (["train2017", "val2017"], {"train2017": "train", "val2017": "val"}),
        (["train station", "test tube"], {}),
        (["steam train", "car"], {}),
        (["a_train", "a_test", "b_train", "b_test"], {}),
        (["a_val", "a_test"], {}),
    ],
)
def test_parts_share_the_word_that_is_no_part(names: list[str], parts: dict[str, str]) -> None:
    assert parts_of(names) == parts
