"""The schemas of the requests and answers of `kakera label`."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field

from kakera.commands.labelling.gain import Verdict

MOST_FILES = 100_000
Session = Annotated[
    str,
    Field(pattern="^[A-Za-z0-9-]{1,64}$", description="An id that a page chooses: one for each browser tab."),
]
Person = Annotated[str, Field(max_length=100, description="The name in the table; may be empty.")]
Rows = Annotated[
    list[int], Field(min_length=1, max_length=MOST_FILES, description="Numbers of the files, from 0.")
]


class BatchRequest(BaseModel):
    """A request for the next files of a person."""

    session: Session
    choose: bool = Field(True, description="False: all files at random.")


class LabelRequest(BaseModel):
    """A label for some files; an empty label skips them."""

    session: Session
    files: Rows
    label: str = Field(max_length=1000)
    person: Person = ""


class UndoRequest(BaseModel):
    """A request to take back the last click of a session."""

    session: Session


class FileAnswer(BaseModel):
    """A file to label."""

    file: int
    name: str
    label: str | None = Field(description="Its label; empty if it was skipped, null if it has none.")
    predicted: str | None = Field(description="The class that the head predicts; null without a head.")
    likely: float = Field(description="The probability of that class.")


class RangeAnswer(BaseModel):
    """A share of files, or a difference of two shares, with its 95 % interval."""

    value: float
    low: float
    high: float


class ProgressAnswer(BaseModel):
    """The progress of the labelling, and how good its head is."""

    files: int
    labelled: int
    skipped: int
    classes: tuple[str, ...]
    counts: tuple[int, ...] = Field(description="Labelled files of each class.")
    people: int = Field(description="Pages that were active within ten minutes.")
    table: str
    kind: str = Field(description="pictures or recordings.")
    batch: int
    accuracy: RangeAnswer | None = Field(description="On the random sample, each file without its own label.")
    sample: int = Field(description="Labelled files in the random sample.")
    chosen: tuple[int, int] = Field(description="Right predictions, and files, among the newest chosen ones.")
    random: tuple[int, int] = Field(description="The same for random files.")
    gain: RangeAnswer | None = Field(
        description="Accuracy of chosen labels minus that of as many random ones."
    )
    replaced: int = Field(description="Number of labels that this difference compares.")
    verdict: Verdict


class BatchAnswer(BaseModel):
    """The next files of a person; none if all have a label, or other people have the rest."""

    files: list[FileAnswer]
    progress: ProgressAnswer


class LabelAnswer(BaseModel):
    """A label that is on the disk."""

    notes: list[str] = Field(description="A sentence for each label of another person that was replaced.")
    progress: ProgressAnswer


class UndoAnswer(BaseModel):
    """The files whose last change was taken back."""

    files: list[FileAnswer]
    progress: ProgressAnswer


class MapAnswer(BaseModel):
    """The places of all files on a plane: the first two principal components, from −1 to 1."""

    x: list[float]
    y: list[float]
    share: float = Field(description="Share of the variance that the two components keep.")


class ColoursAnswer(BaseModel):
    """The states of all files, for the colours of the map."""

    classes: tuple[str, ...]
    label: list[int] = Field(description="Number of the class; −1 without a label, −2 for a skipped file.")
    predicted: list[int] = Field(description="Number of the predicted class; −1 without a head.")
    suspicion: list[float] = Field(description="1 − probability of the label, or of the predicted class.")
    part: list[int] = Field(description="0 without a label, 1 train, 2 test (drawn at random).")
