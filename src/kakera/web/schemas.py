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
    """The reason why a request was refused.

    Example:

        >>> Refusal(detail="No picture has the id 7.").model_dump()
        {'detail': 'No picture has the id 7.'}
    """

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
    token_zero: str = Field("class token", description="Name of token 0 in attention maps.")
    classes: tuple[str, ...]
    has_attention: bool = Field(description="True if the model has attention and tokens.")
    reconstructs: bool = Field(description="True if the model has a decoder.")
    predicts: bool = Field(description="True if the model predicts classes.")


class PictureAnswer(BaseModel):
    """A picture or recording: a sample or an upload.

    Example:

        >>> PictureAnswer(id="0", name="cat.png").model_dump_json()
        '{"id":"0","name":"cat.png"}'
    """

    id: str
    name: str


class Tick(BaseModel):
    """A labelled position on an axis.

    Example:

        >>> Tick(at=0.5, text="112").model_dump()
        {'at': 0.5, 'text': '112'}
    """

    at: Share = Field(description="Position on the axis: 0 is the beginning, 1 the end.")
    text: str


class AxisAnswer(BaseModel):
    """The axis of rows or columns: name, unit and positions.

    Example:

        >>> axis = AxisAnswer(name="down", unit="px", ticks=[Tick(at=0, text="0")], edges=[0, 8, 16])
        >>> axis.model_dump()
        {'name': 'down', 'unit': 'px', 'ticks': [{'at': 0.0, 'text': '0'}], 'edges': [0.0, 8.0, 16.0]}
    """

    name: str
    unit: str
    ticks: list[Tick]
    edges: list[float] = Field(description="Borders of the patches, in the unit.")


class SceneAnswer(BaseModel):
    """A picture or recording as a model receives it: size, grid of patches and axes, without padding.

    Example:

        >>> axis = AxisAnswer(name="", unit="px", ticks=[], edges=[0, 8, 16])
        >>> facts = {"down": axis, "across": axis, "upwards": False, "start": 0, "end": 0}
        >>> scene = SceneAnswer(size=(16, 16), rows=2, cols=2, window=1, windows=1, **facts)
        >>> scene.size
        (16, 16)
    """

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
    """Attention weights a_ij over the patches: from the class token and each patch, or from one token.

    Example:

        >>> AttentionAnswer(attention=[[0.25, 0.75]]).model_dump()
        {'attention': [[0.25, 0.75]]}
    """

    attention: list[list[Share]] = Field(description="Shape (1 + N, N), or (1, N) for one token.")


class SimilarityAnswer(BaseModel):
    """Cosine similarities of all pairs of patches.

    Example:

        >>> SimilarityAnswer(similarity=[[1, 0.5], [0.5, 1]]).model_dump()
        {'similarity': [[1.0, 0.5], [0.5, 1.0]]}
    """

    similarity: list[list[float]] = Field(description="Shape (N, N), values −1 … 1.")


class RelevanceAnswer(BaseModel):
    """The relevance of each patch for a class.

    Example:

        >>> RelevanceAnswer(target="cat", relevance=[0, 0.3]).model_dump()
        {'target': 'cat', 'relevance': [0.0, 0.3]}
    """

    target: str
    relevance: list[Annotated[float, Field(ge=0)]] = Field(description="Shape (N), row by row.")


class Probability(BaseModel):
    """The probability of one class.

    Example:

        >>> Probability(name="cat", probability=0.9)
        Probability(name='cat', probability=0.9)
    """

    name: str
    probability: Share


class PredictionAnswer(BaseModel):
    """The probabilities of all classes, the most probable first.

    Example:

        >>> likely = [Probability(name="cat", probability=1)]
        >>> PredictionAnswer(multi_label=False, labels=["cat"], probabilities=likely).labels
        ['cat']
    """

    multi_label: bool = Field(description="True if a picture can have more than one class.")
    labels: list[str] = Field(
        description="The most probable class, or every class whose probability is at least its threshold."
    )
    probabilities: list[Probability]
    typical: Share | None = Field(
        None,
        description="Share of held-out training files that are at least as unusual; null if the run does not "
        "have their distances, and for a recording of several windows.",
    )


class EmbeddingAnswer(BaseModel):
    """The embedding of a picture, one vector.

    Example:

        >>> EmbeddingAnswer(embedding=[0.5, -1]).model_dump()
        {'embedding': [0.5, -1.0]}
    """

    embedding: list[float]


class Mask(BaseModel):
    """A mask: a list of hidden patches, or the settings of a random mask.

    Example:

        >>> Mask(model="cats", picture="0", hidden=[1, 4]).hidden
        [1, 4]
        >>> Mask(model="cats", picture="0").ratio
        0.75
    """

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
    """A request to reconstruct a picture: the mask, and the channels to show.

    Example:

        >>> ReconstructionRequest(model="cats", picture="0", hidden=[1, 4], shown=[3, 2, 1]).shown
        [3, 2, 1]
    """

    shown: Shown = []


class AudioRequest(Mask):
    """A request to convert a spectrogram to audio.

    Example:

        >>> AudioRequest(model="birds", picture="0", of="original").of
        'original'
    """

    of: Literal["guess", "original"] = Field(
        "guess", description="guess: the hidden patches are predicted; original: the full spectrogram."
    )


class ReconstructionAnswer(BaseModel):
    """A picture reconstructed from its visible patches.

    Example:

        >>> sorted(ReconstructionAnswer.model_fields)
        ['baseline', 'borrowed', 'error', 'errors', 'hidden', 'masked', 'prediction']
    """

    hidden: list[int] = Field(description="The numbers of the hidden patches.")
    masked: str = Field(description="The visible patches, as a data URL of a PNG.")
    prediction: str = Field(
        description="The picture with the hidden patches predicted, as a data URL of a PNG."
    )
    errors: list[float] = Field(
        description="Shape (N): mean error of each patch as a share of the value range; 0 if visible."
    )
    error: float = Field(description="Mean error over the hidden patches.")
    baseline: float = Field(
        description="The mean error if each hidden patch is predicted as the mean of the visible patches."
    )
    borrowed: bool = Field(
        description="True if mean and contrast of each hidden patch are copied from the original."
    )
