"""From one format to another, with a proof: both models are run on the same inputs."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from kakera.errors import RunError
from kakera.formats.adapt import Size, adapt
from kakera.formats.bundle import Pretrained
from kakera.formats.folder import require_free, write_folder
from kakera.formats.foreign import mae, timm_writer, transformers_writer
from kakera.formats.load import load
from kakera.formats.onnx import export
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
    "written for colour, as pipelines of transformers see every picture: red, green and blue count as they "
    "make up the brightness, which changes no output of a grey picture; --channels 1 leaves it grey"
)
MOST = 1e-3  # from here on a difference is no rounding, and nothing is written


@dataclass(frozen=True)
class ConvertResult:
    """What was read, where it was written, and how far apart the outputs are, at most, judged by whom."""

    source: Pretrained
    target: Path
    difference: float
    judge: str
    hint: str = ""

    def lines(self) -> list[str]:
        """For people to read."""
        found = ", ".join(self.source.notes) or "a run of kakera"
        return [
            f"read: {self.source.about()} ({found})",
            f"{self.target}: largest difference of the outputs {self.difference:.1e}, run by {self.judge}",
            *([self.hint] if self.hint else []),
        ]


@renamed(size="image_size")
@memory_for("convert", "end other programs, or give a lower --image-size")
def convert(
    source: str | Path,
    target: str | Path,
    *,
    to: Format,
    encoder: bool = False,
    image_size: Size | None = None,
    channels: int | None = None,
) -> ConvertResult:
    """Write the model of `source` for another library: a new folder, or for mae a `.pth` file.

    With `encoder` a decoder or head is left behind, and with it what the target may have no word for;
    `image_size` and `channels` change what it takes in, as `load` does. A model of grey pictures for
    transformers, whose pipelines see every picture in colour, is written with three channels, unless
    `channels` is given; an autoencoder, for which there is no pipeline, as it is. It is written beside its
    place, read back and run before it is put there, by the library itself where that is installed. Raises
    OptionError; RunError, with the reason, for what the target cannot express, for a target that exists
    already and for outputs that differ; MissingExtraError, StorageError.
    """
    saved, target = load(source, image_size=image_size, channels=channels), Path(target)
    if encoder:
        saved = Pretrained(saved.encoder, saved.inputs, notes=saved.notes)
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
        far, judge = max_abs_diff(saved, trial if to in FOLDERS else trial / "model.pth", to)
    if not far < MOST:
        raise RunError(
            str(target),
            got=f"outputs that differ by {far:.1e}",
            expected=f"less than {MOST:.0e}",
            do="report this; nothing was written",
        )
    if to in FOLDERS:
        write_folder(target, files)
    else:
        write_atomically(target, files["model.pth"])
    hint = COLOURED if coloured else _hint(saved, to)
    return ConvertResult(saved, target, far, judge, hint)


def _grey(saved: Pretrained) -> bool:
    one = saved.inputs.channels == 1 and saved.inputs.sound is None
    return one and saved.model.has_attention and not saved.model.reconstructs


def _hint(saved: Pretrained, to: Format) -> str:
    if to != "transformers" or saved.inputs.channels == 3 or saved.inputs.sound is not None:
        return ""
    return "pipelines of transformers see every picture in colour: --channels 3 makes it a model for them"


def _require_new_file(target: Path) -> None:
    if target.suffix != ".pth" or target.exists():
        got = "something there already" if target.exists() else "another ending"
        raise RunError(str(target), got=got, expected="a new .pth file", do="choose another")
