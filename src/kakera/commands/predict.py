"""`kakera predict`: labels of pictures and recordings, with probabilities."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from kakera.commands.engine import in_engine
from kakera.commands.prediction import Prediction, Source, on_device, open_model, prediction_of, readers
from kakera.commands.rejecting import rejection_for, require_distances, with_tokens
from kakera.data.sources.files import open_files
from kakera.data.sources.items import Files
from kakera.errors import OptionError
from kakera.formats.bundle import Pretrained
from kakera.formats.engines.builders import Engine
from kakera.formats.inference import Predictor, each_batch, each_file
from kakera.formats.onnx.model import OnnxModel
from kakera.formats.rejection import NONE, Rejection
from kakera.option_fields import Auto
from kakera.out_of_memory import memory_for


@memory_for("predict", "lower --workers, or pass fewer files")
def predict(
    model: Source,
    files: Files,
    *,
    top: int = 0,
    workers: int | Auto = "auto",
    device: str = "auto",
    engine: Engine | Auto = "torch",
    reject: float = 0.0,
) -> list[Prediction]:
    """Predict the labels of files, and return one prediction for each, in the order of the files.

    `model` is a run folder or a loaded model; or an ONNX folder written by `convert`, in float32 or int8,
    which ONNX Runtime computes on the CPU. `files` is one of the following, or a list of them: a path of a
    file, a folder or shards (a string is one path); the name of a built-in data set; the bytes of a file, or
    a file opened in binary mode; a Pillow image; an array (H, W) or (H, W, C) of uint8 or of floats from 0
    to 1, or (n, H, W, C) for n pictures; a tensor (C, H, W); for a model of recordings also (waveform,
    sample rate in hertz); or a `Dataset`. An input without a name is called picture[0], with its position.

    `top` keeps the probabilities of the `top` most probable classes; 0 keeps all. `workers` is the number of
    processes that read files while the model computes; "auto" uses one per CPU core for many files, and none
    for few. `device` is cpu, cuda, mps or auto.

    `engine` is "torch" (the default: PyTorch in float32), "bf16", "int8", "merging", "bf16 merging",
    "int8 merging", "onnxruntime int8" or "openvino"; see docs/inference.md. "auto" times those that this
    machine has on some of the files, checks their answers against float32, and prints the choice.

    `reject` above 0 is a rate of false alarms: the label is "none of these" for files that are more unlike
    the training files than all but this share of held-out training files. The model must come from
    `kakera.fit`, or from `kakera.finetune` with `val_share`. Then `Prediction.typical` is that share for each
    file.

    The probabilities of a recording are the mean over its windows. A regression model predicts numbers
    (`Prediction.values`) in place of labels. An unreadable file has a prediction
    without labels, with the reason in `unreadable`. Raises RunError for the model or the device, DataError
    if a folder has no files to read, or if an input is not a file.

    Example:

        >>> from kakera import Classifier, InputSpec
        >>> from kakera.formats.bundle import Pretrained
        >>> network = Classifier("nano", 2, channels=1, image_size=28)
        >>> inputs = InputSpec(1, 28, 28, mean=(0.5,), std=(0.5,))
        >>> model = Pretrained(network.eval(), inputs, ("left", "right"))
        >>> [prediction] = predict(model, np.zeros((28, 28), np.uint8))
        >>> prediction.file, sorted(prediction.probabilities)
        ('picture[0]', ['left', 'right'])
    """
    return list(
        iter_predict(model, files, top=top, workers=workers, device=device, engine=engine, reject=reject)
    )


def iter_predict(
    model: Source,
    files: Files,
    *,
    top: int = 0,
    workers: int | Auto = "auto",
    device: str = "auto",
    engine: Engine | Auto = "torch",
    reject: float = 0.0,
) -> Iterator[Prediction]:
    """Predict like `predict`, but yield each prediction as soon as it is computed, in the order of the files.

    Example:

        >>> from kakera import Classifier, InputSpec
        >>> from kakera.formats.bundle import Pretrained
        >>> network = Classifier("nano", 2, channels=1, image_size=28)
        >>> inputs = InputSpec(1, 28, 28, mean=(0.5,), std=(0.5,))
        >>> model = Pretrained(network.eval(), inputs, ("left", "right"))
        >>> pictures = np.zeros((3, 28, 28, 1), np.uint8)
        >>> [prediction.file for prediction in iter_predict(model, pictures)]
        ['picture[0]', 'picture[1]', 'picture[2]']
    """
    require_distances(model, reject)
    saved = open_model(model)
    rejection = rejection_for(model, saved, reject, engine) if reject else None
    yield from each_prediction(
        saved,
        files,
        top=top,
        workers=workers,
        device=device,
        engine=engine,
        reject=reject,
        rejection=rejection,
    )


def each_prediction(
    saved: Pretrained | OnnxModel,
    files: Files,
    *,
    top: int = 0,
    workers: int | Auto = "auto",
    device: str = "auto",
    engine: Engine | Auto = "torch",
    reject: float = 0.0,
    rejection: Rejection | None = None,
) -> Iterator[Prediction]:
    """Predict like `iter_predict` with a loaded model; `rejection` is that of its run, see `rejection_for`.

    Example:

        >>> from kakera import Classifier, InputSpec
        >>> network = Classifier("nano", 2, channels=1, image_size=28)
        >>> saved = Pretrained(network.eval(), InputSpec(1, 28, 28, (0.5,), (0.5,)), ("left", "right"))
        >>> [found.file for found in each_prediction(saved, np.zeros((28, 28), np.uint8))]
        ['picture[0]']
    """
    dataset = open_files(files, saved.inputs)
    reasons: dict[str, str] = {}

    def unreadable(start: int, end: int) -> Iterator[Prediction]:
        for number in range(start, end):
            yield Prediction(
                dataset.pictures.name(number), (), {}, reasons[dataset.pictures.location(number)]
            )

    following = 0  # number of the next file to yield; a gap before a result means unreadable files
    with on_device(saved, device):
        running: Predictor = in_engine(saved, dataset, engine) if rejection is None else with_tokens(saved)
        for numbers, rows, broken in each_file(
            running, dataset, workers=readers(dataset, workers), progress="predict"
        ):
            reasons |= {error.path: error.reason for error in broken}
            for number, row in zip(numbers.tolist(), rows, strict=True):
                yield from unreadable(following, number)
                found = prediction_of(saved, dataset.pictures.name(number), row[: len(saved.classes)], top)
                if rejection is not None:
                    typical = float(rejection.typical(row[None, len(saved.classes) :])[0])
                    found = replace(
                        found, typical=typical, labels=(NONE,) if typical <= reject else found.labels
                    )
                yield found
                following = number + 1
    yield from unreadable(following, len(dataset))


def predict_windows(
    model: Source,
    files: Files,
    *,
    top: int = 0,
    workers: int | Auto = "auto",
    device: str = "auto",
    engine: Engine | Auto = "torch",
) -> Iterator[Prediction]:
    """Predict each window of each recording, and yield each prediction as soon as it is computed.

    The arguments are as in `predict`. `Prediction.window` is the start and end of the window in seconds.
    Raises OptionError for a model of pictures, and the same errors as `predict`.

    Example:

        >>> from kakera import Classifier, InputSpec
        >>> from kakera.formats.bundle import Pretrained
        >>> from kakera.sound.spec import SoundSpec
        >>> spec = SoundSpec(rate=8000, bins=32)
        >>> inputs = InputSpec(1, 32, 40, (-5.0,), (3.0,), 1.0, ("frequency", "time"), spec)
        >>> network = Classifier("nano", 2, channels=1, image_size=(32, 40))
        >>> model = Pretrained(network.eval(), inputs, ("bird", "rain"))
        >>> recording = (np.zeros(8000, np.float32), 8000)
        >>> len(list(predict_windows(model, recording)))
        3
    """
    saved = open_model(model)
    spec = saved.inputs.sound
    if spec is None:
        raise OptionError(
            "windows", got="a model of pictures", expected="a model of recordings", do="remove it"
        )
    dataset, broken = open_files(files, saved.inputs), set[str]()
    with on_device(saved, device):
        running = in_engine(saved, dataset, engine)
        for part, values in each_batch(running, dataset, workers=readers(dataset, workers)):
            assert part.starts is not None
            assert part.lengths is not None
            for error in part.unreadable:
                if error.path not in broken:
                    broken.add(error.path)
                    yield Prediction(error.path, (), {}, error.reason)
            edges = np.stack([part.starts, part.starts + part.lengths], axis=1) / spec.rate
            for number, row, (start, end) in zip(part.samples.tolist(), values.numpy(), edges, strict=True):
                span = (float(start), float(end))
                yield prediction_of(saved, dataset.pictures.name(number), row, top, window=span)
