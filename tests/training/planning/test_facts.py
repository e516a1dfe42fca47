from pathlib import Path

from kakera.data.preload.preload import preload
from kakera.data.sources.open import open_dataset
from kakera.training.planning.facts import facts_of
from tests.small import folder


def test_pictures_that_are_kept_small_are_as_large_as_their_files(tmp_path: Path) -> None:
    data = open_dataset(str(folder(tmp_path / "things", side=90)))
    kept = preload(data, shorter=20, size=(16, 16))
    assert kept.pictures.read(0).shape[:2] == (20, 20)
    assert facts_of(kept) == facts_of(data)
    assert facts_of(kept).size == (90, 90)
