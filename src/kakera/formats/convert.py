"""Convert a model to another format and check it: both models run on the same inputs."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from kakera.errors import RunError
from kakera.formats.adapt import Size, adapt, with_one_shape
from kakera.formats.bundle import Pretrained
from kakera.formats.folder import require_free, write_folder
from kakera.formats.foreign import mae, timm_writer, transformers_writer
from kakera.formats.load import load
from kakera.formats.onnx import export
from kakera.formats.regression import encoder_of, require_classes
from kakera.formats.verify import max_abs_diff
from kakera.option_fields import renamed
from kakera.out_of_memory import memory_for
from kakera.storage import write_atomically

Format = Literal["transformers", "timm", "mae", "onnx"]
FOLDERS: dict[str, Callable[[Pretrained], dict[str, bytes]]] = {
    "transformers": transformers_writer.files,
    "timm": timm_writer.files,
    "onnx": export.files,
}
COLOURED = (
    "written with three channels, because pipelines of transformers read every picture in colour: red, green "
    "and blue are weighted by their share of the brightness, so a grey picture has the same outputs; "
    "--channels 1 writes one channel"
)
MOST = 1e-3  # a larger difference is no rounding error, and nothing is written


@dataclass(frozen=True)
class ConvertResult:
    """The result of a conversion: its source, its target and the largest difference of the outputs.

    `judge` is the library that ran the converted model; `hint` is advice, or empty. See `convert`.
    """

    source: Pretrained
    target: Path
    difference: float
    judge: str
    hint: str = ""

    def lines(self) -> list[str]:
        """Return the lines that the command prints."""
        notes = ", ".join(self.source.notes) or "a run of kakera"
        return [
            f"read: {self.source.about()} ({notes})",
            f"{self.target}: largest difference of the outputs {self.difference:.1e}, run by {self.judge}",
            *([self.hint] if self.hint else []),
        ]


@renamed(size="image_size")
@memory_for("convert", "close other programs, or lower --image-size")
def convert(
    source: str | Path,
    target: str | Path,
    *,
    to: Format,
    encoder: bool = False,
    image_size: Size | None = None,
    channels: int | None = None,
) -> ConvertResult:
    """Write the model of `source` in the format of another library.

    `source` is as in `load`. `target` is a new folder, or a new `.pth` file for "mae". `encoder` leaves out
    the decoder or head, and with it what the format may not support. `image_size` and `channels` change the
    inputs, as in `load`. Pipelines of transformers read every picture in colour, so a model of grey pictures
    is written with three channels, unless `channels` is set; an autoencoder has no pipeline and keeps its
    channels. The model is first written to a temporary folder. There the other library, or kakera if that is
    not installed, reads it back and runs it. Only then it is written to `target`. Raises OptionError;
    RunError, with the reason, for a model that the format cannot express, for a target that already exists
    and for outputs that differ; MissingExtraError if ONNX is not installed; StorageError if the target cannot
    be written.

    Example:

        >>> import kakera
        >>> inputs = kakera.InputSpec(1, 8, 8, (0.5,), (0.5,))
        >>> Pretrained(kakera.MAE(kakera.ViT("nano", channels=1, image_size=8)), inputs).save("run")
        >>> result = convert("run", "model.pth", to="mae")
        >>> result.difference < 1e-6, result.judge
        (True, 'kakera, from the files')
    """
    saved, target = with_one_shape(load(source, image_size=image_size, channels=channels)), Path(target)
    if encoder:
        saved = encoder_of(saved)
    elif saved.regression:
        require_classes(saved, "add --encoder to convert its encoder, or predict with kakera")
    coloured = to == "transformers" and channels is None and _grey(saved)
    if to in FOLDERS:
        require_free(target)
        files = FOLDERS[to](adapt(saved, channels=3) if coloured else saved)
        if coloured:
            files["README.md"] += f"\nIt is {COLOURED}.\n".encode()
    else:
        _require_new_file(target)
        files = {"model.pth": mae.write(saved)}
    with tempfile.TemporaryDirectory() as place:
        trial = Path(place) / "trial"
        write_folder(trial, files)
        difference, judge = max_abs_diff(saved, trial if to in FOLDERS else trial / "model.pth", to)
    if not difference < MOST:
        raise RunError(
            str(target),
            got=f"outputs that differ by {difference:.1e}",
            expected=f"less than {MOST:.0e}",
            do="report this as a bug; nothing was written",
        )
    if to in FOLDERS:
        write_folder(target, files)
    else:
        write_atomically(target, files["model.pth"])
    hint = COLOURED if coloured else _hint(saved, to)
    return ConvertResult(saved, target, difference, judge, hint)


def _grey(saved: Pretrained) -> bool:
    one = saved.inputs.channels == 1 and saved.inputs.sound is None
    return one and saved.model.has_attention and not saved.model.reconstructs


def _hint(saved: Pretrained, to: Format) -> str:
    if to != "transformers" or saved.inputs.channels == 3 or saved.inputs.sound is not None:
        return ""
    return "pipelines of transformers read every picture in colour: --channels 3 writes a model for them"


def _require_new_file(target: Path) -> None:
    if target.suffix != ".pth" or target.exists():
        got = "a path that already exists" if target.exists() else "another file type"
        raise RunError(str(target), got=got, expected="a new .pth file", do="choose another")
