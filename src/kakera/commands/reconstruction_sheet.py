"""The sheets of reconstructions that a pretraining draws: original, masked, predicted."""

from __future__ import annotations

from kakera import seeding
from kakera.data.dataset import Dataset
from kakera.data.images.resize import visible
from kakera.explain.picture import png, sheet, upright
from kakera.formats.bundle import Pretrained
from kakera.formats.looking import sheet_rows
from kakera.model.mae import MAE
from kakera.training.options import PretrainOptions
from kakera.training.prepared import Prepared
from kakera.training.preview import preview

SHOWN = 12  # number of pictures on a sheet


def reconstruction_sheet(saved: Pretrained[MAE], pictures: Dataset, options: PretrainOptions) -> bytes:
    """Return a PNG of some pictures: original, masked, predicted; the masks are the same in each call.

    Example:

        >>> from kakera.data.sources.open import open_dataset
        >>> from kakera.inputs import InputSpec
        >>> model = MAE("nano", channels=1, image_size=28)
        >>> saved = Pretrained(model, InputSpec(1, 28, 28, (0.5,), (0.5,)))
        >>> files = open_dataset("demo").take(range(2))
        >>> reconstruction_sheet(saved, files, PretrainOptions("demo"))[1:4]
        b'PNG'
    """
    looked = preview(pictures, saved.front_end)
    saved.model.eval()
    samples, chosen = looked.batch.samples.numpy(), (options.mask_ratio, options.seed, options.masking)
    rows = sheet_rows(saved, looked.pictures, looked.padding, samples, *chosen)
    return png(
        sheet(
            visible(upright(rows, saved.inputs)), across=4 if saved.inputs.width <= saved.inputs.height else 1
        )
    )


def sheet_samples(prepared: Prepared) -> Dataset:
    """Return a few pictures for the sheets, the same in each run; test pictures if the data have some."""
    dataset = prepared.dataset
    unseen = dataset.part("test")
    dataset = unseen if len(unseen) else dataset
    return dataset.take(seeding.permutation(0, 0, len(dataset), "shown")[:SHOWN])
