import multiprocessing
import pickle
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from kakera.data.batch import Augmentation
from kakera.data.dataset import Dataset
from kakera.data.holders import ArrayPictures
from kakera.data.loader import training_batches
from kakera.data.mapped import MappedArray
from kakera.data.sources.npz import open_npz
from kakera.data.sources.open import open_dataset
from kakera.errors import DataError
from tests.data.test_npz_mapped import COLOUR, LABELS_OF, ORDER, SPLIT_OF, npz, pictures_of, read


def total(dataset: Dataset) -> int:
    return sum(int(picture.sum()) for picture in read(dataset))


def test_another_process_maps_the_file_for_itself(tmp_path: Path) -> None:
    large = np.tile(COLOUR, (1, 20, 20, 1))
    dataset, _ = open_npz(npz(tmp_path, images=large, split=SPLIT_OF))
    assert len(pickle.dumps(dataset)) < 20_000 < large.nbytes // 100
    assert np.array_equal(read(pickle.loads(pickle.dumps(dataset))), large[ORDER])
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        assert pool.submit(total, dataset).result() == int(large.sum())


@pytest.mark.parametrize("crop", [1.0, 0.5])
def test_batches_are_those_of_arrays_in_memory_with_any_number_of_workers(
    crop: float, tmp_path: Path
) -> None:
    mapped = open_dataset(npz(tmp_path, images=COLOUR, labels=LABELS_OF, split=SPLIT_OF))
    memory = Dataset("d", ArrayPictures(COLOUR[ORDER]), 3, SPLIT_OF[ORDER], ("0", "1", "2"), LABELS_OF[ORDER])
    found = [
        np.concatenate(
            [
                batch.pictures.numpy()
                for batch in training_batches(
                    dataset.part("train"),
                    (12, 10),
                    Augmentation(crop=(crop, 1.0), flip=True),
                    seed=3,
                    batch=5,
                    steps=4,
                    workers=workers,
                )
            ]
        )
        for dataset, workers in ((memory, 0), (mapped, 0), (mapped, 2))
    ]
    assert np.array_equal(found[0], found[1])
    assert np.array_equal(found[0], found[2])


def test_a_file_that_has_changed_is_not_mapped_by_another_process(tmp_path: Path) -> None:
    path = npz(tmp_path, images=COLOUR)
    content = pickle.dumps(open_npz(path)[0])
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(DataError, match="got another size or modification time, expected the unchanged file"):
        pickle.loads(content).pictures.read(0)
    path.unlink()
    with pytest.raises(DataError, match="got .*No such file") as caught:
        pickle.loads(content).pictures.read(0)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_replaced_is_still_there_for_who_has_it_open(tmp_path: Path) -> None:
    dataset, _ = open_npz(npz(tmp_path, images=COLOUR))
    np.savez(tmp_path / "new.npz", images=255 - COLOUR)
    (tmp_path / "new.npz").replace(tmp_path / "data.npz")
    assert np.array_equal(read(dataset), COLOUR)


def test_where_nothing_can_be_mapped_the_pictures_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise OSError(19, "No such device")

    monkeypatch.setattr("kakera.data.mapped.np.memmap", fails)
    dataset, _ = open_npz(npz(tmp_path, images=COLOUR))
    assert np.array_equal(read(dataset), COLOUR)
    assert not pictures_of(dataset).mapped


def test_an_offset_need_not_be_a_multiple_of_the_size_of_a_number(tmp_path: Path) -> None:
    values = np.arange(24, dtype=">u4").reshape(2, 3, 4)
    path = tmp_path / "x"
    path.write_bytes(b"123" + values.tobytes())
    found = path.stat()
    mapped = MappedArray(path, 3, (2, 3, 4), values.dtype, (found.st_size, found.st_mtime_ns))
    assert np.array_equal(mapped.values, values)
    assert np.array_equal(mapped.reshape((6, 4)).values, values.reshape(6, 4))
