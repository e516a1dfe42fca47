"""The forms of the server's answers and questions, as its OpenAPI description gives them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Shown = Annotated[
    list[Annotated[int, Field(ge=1, le=64)]],
    Field(
        max_length=3,
        description="Channels to show as red, green and blue, from 1, of pictures that have more than three "
        "or two; by default the first three.",
    ),
]
Share = Annotated[float, Field(ge=0, le=1)]


class Refusal(BaseModel):
    """Why a request was refused."""

    detail: str = Field(description="One sentence.")


class ModelAnswer(BaseModel):
    """A model that is open."""

    id: str
    name: str
    about: str = Field(description="What it is and what can be asked of it.")
    finished: bool = Field(description="False for a run that is still in training.")
    step: int | None = Field(description="The step of the checkpoint shown; null at the end of a run.")
    size: tuple[int, int] = Field(description="Height and width of the pictures it takes, in pixels.")
    channels: int
    sound: bool = Field(description="Whether it takes recordings.")
    rows: int = Field(description="Of the grid of patches; 1 for a CNN.")
    cols: int
    patch: tuple[int, int] | None = Field(None, description="Height and width of a patch; null for a CNN.")
    layers: int | None = None
    heads: int | None = None
    width: int | None = Field(None, description="Numbers in a token.")
    classes: tuple[str, ...]
    has_attention: bool = Field(description="Whether it has attention and tokens.")
    reconstructs: bool = Field(description="Whether it has a decoder.")
    predicts: bool = Field(description="Whether it knows classes.")


class PictureAnswer(BaseModel):
    """A picture that can be asked about."""

    id: str
    name: str


class Tick(BaseModel):
    """A round value on an axis."""

    at: Share = Field(description="0 is the beginning of the axis, 1 its end.")
    text: str


class AxisAnswer(BaseModel):
    """What rows or columns mean."""

    name: str
    unit: str
    ticks: list[Tick]
    edges: list[float] = Field(description="Where the patches begin and end, in the unit.")


class SceneAnswer(BaseModel):
    """What there is of a picture or a recording for a model."""

    size: tuple[int, int] = Field(description="Height and width of what is there, in pixels.")
    rows: int = Field(description="Of the patches that are there; 1 for a CNN.")
    cols: int
    down: AxisAnswer
    across: AxisAnswer
    upwards: bool = Field(description="Whether the first row is to be drawn at the bottom.")
    start: float = Field(description="Where the window begins, in seconds of the recording.")
    end: float
    window: int = Field(description="Number of the window, from 1.")
    windows: int = Field(description="How many there are: name one with @ behind the id.")


class AttentionAnswer(BaseModel):
    """Rows of a_ij over the patches: from the class token and each patch, or from one token."""

    attention: list[list[Share]] = Field(description="(1 + N, N), or (1, N) where a token was named.")


class SimilarityAnswer(BaseModel):
    """Cosines of each patch with each."""

    similarity: list[list[float]] = Field(description="(N, N), −1 … 1.")


class RelevanceAnswer(BaseModel):
    """What each patch contributes to a class."""

    target: str
    relevance: list[Annotated[float, Field(ge=0)]] = Field(description="(N), row by row.")


class Probability(BaseModel):
    """Of one class."""

    name: str
    probability: Share


class PredictionAnswer(BaseModel):
    """What a picture shows, the likeliest first."""

    multi_label: bool = Field(description="Whether several classes may hold at once.")
    probabilities: list[Probability]


class EmbeddingAnswer(BaseModel):
    """One vector for a picture."""

    embedding: list[float]


class Mask(BaseModel):
    """Which patches are hidden: named, or drawn."""

    model_config = ConfigDict(extra="forbid")

    model: str
    picture: str
    hidden: list[int] | None = Field(
        None, max_length=1 << 16, description="Numbers of patches, 1 … N row by row; null draws a mask."
    )
    ratio: float = Field(0.75, ge=0, lt=1, allow_inf_nan=False, description="Share that a drawn mask hides.")
    seed: int = Field(0, ge=0, lt=1 << 32, description="A drawn mask follows from it.")
    masking: Literal["random", "block", "grid", "rows", "cols", "cross"] = Field(
        "random", description="Kind of a drawn mask; of spectrograms rows are frequencies, cols times."
    )


class ReconstructionRequest(Mask):
    """What to guess of a picture, and how to show it."""

    shown: Shown = []


class AudioRequest(Mask):
    """What to make audible from a spectrogram."""

    of: Literal["guess", "original"] = Field(
        "guess", description="With the hidden patches guessed, or as it is."
    )


class ReconstructionAnswer(BaseModel):
    """A picture guessed from what was visible of it."""

    hidden: list[int] = Field(description="The numbers of the hidden patches.")
    masked: str = Field(description="What was visible, as a data URL of a PNG.")
    prediction: str = Field(description="With the hidden patches guessed, as a data URL of a PNG.")
    errors: list[float] = Field(
        description="(N): mean error of each patch as a share of the range of values; 0 where visible."
    )
    error: float = Field(description="The mean over the hidden patches.")
    borrowed: bool = Field(
        description="Whether mean and contrast of each hidden patch are borrowed from the original."
    )
