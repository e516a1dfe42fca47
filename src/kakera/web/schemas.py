"""The schemas of the server's requests and answers, as its OpenAPI description lists them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Shown = Annotated[
    list[Annotated[int, Field(ge=1, le=64)]],
    Field(
        max_length=3,
        description="Channels to show as red, green and blue, counted from 1, for pictures with two or more "
        "than three channels; by default the first three.",
    ),
]
Share = Annotated[float, Field(ge=0, le=1)]


class Refusal(BaseModel):
    """The reason why a request was refused."""

    detail: str = Field(description="One sentence: what was wrong, and what to do.")


class ModelAnswer(BaseModel):
    """An open model."""

    id: str
    name: str
    about: str = Field(description="One or two sentences about the model.")
    finished: bool = Field(description="False for a run that is still in training.")
    step: int | None = Field(description="The step of the loaded checkpoint; null for a finished run.")
    size: tuple[int, int] = Field(description="Height and width of the input, in pixels.")
    channels: int
    sound: bool = Field(description="True if the model takes recordings.")
    rows: int = Field(description="Rows of the grid of patches; 1 for a CNN.")
    cols: int
    patch: tuple[int, int] | None = Field(None, description="Height and width of a patch; null for a CNN.")
    layers: int | None = None
    heads: int | None = None
    width: int | None = Field(None, description="Values in a token.")
    classes: tuple[str, ...]
    has_attention: bool = Field(description="True if the model has attention and tokens.")
    reconstructs: bool = Field(description="True if the model has a decoder.")
    predicts: bool = Field(description="True if the model predicts classes.")


class PictureAnswer(BaseModel):
    """A picture or recording: a sample or an upload."""

    id: str
    name: str


class Tick(BaseModel):
    """A labelled position on an axis."""

    at: Share = Field(description="Position on the axis: 0 is the beginning, 1 the end.")
    text: str


class AxisAnswer(BaseModel):
    """The axis of rows or columns: name, unit and positions."""

    name: str
    unit: str
    ticks: list[Tick]
    edges: list[float] = Field(description="Borders of the patches, in the unit.")


class SceneAnswer(BaseModel):
    """A picture or recording as a model receives it: size, grid of patches and axes, without padding."""

    size: tuple[int, int] = Field(description="Height and width without padding, in pixels.")
    rows: int = Field(description="Rows of patches without padding; 1 for a CNN.")
    cols: int
    down: AxisAnswer
    across: AxisAnswer
    upwards: bool = Field(description="True if the first row belongs at the bottom.")
    start: float = Field(description="Start of the window, in seconds from the start of the recording.")
    end: float
    window: int = Field(description="Number of the window, from 1.")
    windows: int = Field(description="Number of windows; add @ and a number to the id to choose one.")


class AttentionAnswer(BaseModel):
    """Attention weights a_ij over the patches: from the class token and each patch, or from one token."""

    attention: list[list[Share]] = Field(description="Shape (1 + N, N), or (1, N) for one token.")


class SimilarityAnswer(BaseModel):
    """Cosine similarities of all pairs of patches."""

    similarity: list[list[float]] = Field(description="Shape (N, N), values −1 … 1.")


class RelevanceAnswer(BaseModel):
    """The relevance of each patch for a class."""

    target: str
    relevance: list[Annotated[float, Field(ge=0)]] = Field(description="Shape (N), row by row.")


class Probability(BaseModel):
    """The probability of one class."""

    name: str
    probability: Share


class PredictionAnswer(BaseModel):
    """The probabilities of all classes, the most probable first."""

    multi_label: bool = Field(description="True if a picture can have more than one class.")
    probabilities: list[Probability]


class EmbeddingAnswer(BaseModel):
    """The embedding of a picture, one vector."""

    embedding: list[float]


class Mask(BaseModel):
    """A mask: a list of hidden patches, or the settings of a random mask."""

    model_config = ConfigDict(extra="forbid")

    model: str
    picture: str
    hidden: list[int] | None = Field(
        None,
        max_length=1 << 16,
        description="Numbers of the hidden patches, 1 … N row by row; null draws a random mask.",
    )
    ratio: float = Field(0.75, ge=0, lt=1, allow_inf_nan=False, description="Mask ratio of a random mask.")
    seed: int = Field(0, ge=0, lt=1 << 32, description="Seed of a random mask.")
    masking: Literal["random", "block", "grid", "rows", "cols", "cross"] = Field(
        "random",
        description="Kind of a random mask; for spectrograms, rows are frequencies and cols are times.",
    )


class ReconstructionRequest(Mask):
    """A request to reconstruct a picture: the mask, and the channels to show."""

    shown: Shown = []


class AudioRequest(Mask):
    """A request to convert a spectrogram to audio."""

    of: Literal["guess", "original"] = Field(
        "guess", description="guess: the hidden patches are predicted; original: the full spectrogram."
    )


class ReconstructionAnswer(BaseModel):
    """A picture reconstructed from its visible patches."""

    hidden: list[int] = Field(description="The numbers of the hidden patches.")
    masked: str = Field(description="The visible patches, as a data URL of a PNG.")
    prediction: str = Field(
        description="The picture with the hidden patches predicted, as a data URL of a PNG."
    )
    errors: list[float] = Field(
        description="Shape (N): mean error of each patch as a share of the value range; 0 if visible."
    )
    error: float = Field(description="Mean error over the hidden patches.")
    borrowed: bool = Field(
        description="True if mean and contrast of each hidden patch are copied from the original."
    )
