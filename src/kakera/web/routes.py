"""The HTTP API of the explorer. The page and other programs use the same calls."""

from typing import Annotated, Any, Literal

import orjson
from fastapi import APIRouter, Depends, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from kakera.training.malloc import give_back
from kakera.web.errors import REFUSALS
from kakera.web.models import Models, State
from kakera.web.schemas import (
    AttentionAnswer,
    AudioRequest,
    EmbeddingAnswer,
    ModelAnswer,
    PictureAnswer,
    PredictionAnswer,
    ReconstructionAnswer,
    ReconstructionRequest,
    RelevanceAnswer,
    SceneAnswer,
    Shown,
    SimilarityAnswer,
)
from kakera.web.store import MOST_BYTES, Item, Store, answer
from kakera.web.views import Views

router = APIRouter(prefix="/api", responses=REFUSALS)

FILE = (
    "A picture as JPEG, PNG, WebP, TIFF, BMP, GIF, AVIF, JPEG 2000, PPM or TGA. "
    "If the models take recordings: a recording as WAV, FLAC, "
    f"Ogg, MP3, Opus or AIFF. At most {MOST_BYTES >> 20} MiB."
)
UPLOAD = {
    "requestBody": {
        "required": True,
        "description": FILE,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}
WAV: dict[int | str, dict[str, Any]] = {200: {"content": {"audio/wav": {}}, "description": "A WAV file."}}
PNG: dict[int | str, dict[str, Any]] = {200: {"content": {"image/png": {}}, "description": "A PNG file."}}


def models_of(request: Request) -> Models:
    """Return the models of this server."""
    return request.app.state.models


def pictures_of(request: Request) -> Store:
    """Return the pictures or recordings of this server."""
    return request.app.state.pictures


def views_of(request: Request) -> Views:
    """Return the cached computations of this server."""
    return request.app.state.views


AllModels = Annotated[Models, Depends(models_of)]
AllPictures = Annotated[Store, Depends(pictures_of)]
TheViews = Annotated[Views, Depends(views_of)]


def model_of(models: AllModels, model: Annotated[str, Query(description="The id of a model.")]) -> State:
    """Return the model that a request names."""
    return models.state(model)


def picture_of(
    pictures: AllPictures, picture: Annotated[str, Query(description="The id of a sample or an upload.")]
) -> Item:
    """Return the picture that a request names."""
    return pictures.picture(picture)


OneModel = Annotated[State, Depends(model_of)]
OnePicture = Annotated[Item, Depends(picture_of)]


@router.get("/models", response_model=list[ModelAnswer])
def list_models(models: AllModels) -> Any:
    """List the open models."""
    return [state.describe() for state in models.states()]


@router.get("/samples", response_model=list[PictureAnswer])
def list_samples(pictures: AllPictures) -> Any:
    """List the sample pictures or recordings."""
    return [answer(picture) for picture in pictures.samples]


@router.post("/pictures", response_model=PictureAnswer, openapi_extra=UPLOAD)
async def send_picture(request: Request, pictures: AllPictures) -> Any:
    """Upload a picture. The server stores it in memory for a while; use its id in other calls."""
    content = await request.body()
    async with request.app.state.decoding:
        return answer(await run_in_threadpool(_added, pictures, content))


def _added(pictures: Store, content: bytes) -> Item:
    try:
        return pictures.add(content)
    finally:
        give_back()  # the memory that decoding a large picture needed


@router.get("/pictures/{picture}", responses=PNG, response_class=Response)
def show_picture(
    views: TheViews,
    pictures: AllPictures,
    picture: str,
    model: OneModel,
    shown: Annotated[Shown, Query()] = [],  # noqa: B006  # FastAPI copies it
) -> Any:
    """Return a picture in the size and channels of a model, as PNG."""
    return Response(views.png(model, pictures.picture(picture), shown), media_type="image/png")


@router.get("/scene", response_model=SceneAnswer)
def scene(views: TheViews, model: OneModel, picture: OnePicture) -> Any:
    """Return size, grid of patches and axes of a picture or recording, as a model receives it."""
    return views.scene(model, picture)


@router.get("/sound", responses=WAV, response_class=Response)
def sound(views: TheViews, model: OneModel, picture: OnePicture) -> Any:
    """Return the audio that a model receives: one window, one channel, at the sample rate of the model."""
    return Response(views.audio(model, picture), media_type="audio/wav")


@router.post("/sound", responses=WAV, response_class=Response)
def sound_of_guess(views: TheViews, models: AllModels, pictures: AllPictures, mask: AudioRequest) -> Any:
    """Convert a spectrogram to audio with Griffin-Lim.

    Phases are estimated, and details between the mel bands are lost.
    """
    wav = views.reconstructed_audio(models.state(mask.model), pictures.picture(mask.picture), mask)
    return Response(wav, media_type="audio/wav")


@router.get("/attention", response_model=AttentionAnswer)
def attention(
    views: TheViews,
    model: OneModel,
    picture: OnePicture,
    layer: Annotated[int, Query(description="Layer, 1 … L; −1 is the last.")] = -1,
    head: Annotated[int, Query(description="Head, 1 … H; 0 is the mean.")] = 0,
    token: Annotated[
        int | None, Query(description="Query token: 0 is the class token, 1 … N a patch; empty takes all.")
    ] = None,
) -> Any:
    """Return attention weights over the patches: softmax of q_iᵀk_j / √D_k."""
    return _packed(views.attention(model, picture, layer, head, token))


@router.get("/rollout", response_model=AttentionAnswer)
def rollout(views: TheViews, model: OneModel, picture: OnePicture) -> Any:
    """Return attention rollout, the attention combined over all layers (Abnar and Zuidema 2020)."""
    return _packed(views.rollout(model, picture))


@router.get("/similarity", response_model=SimilarityAnswer)
def similarity(
    views: TheViews,
    model: OneModel,
    picture: OnePicture,
    layer: Annotated[
        int | Literal["raw"], Query(description="Layer, 0 … L; −1 is the last; raw: pixels.")
    ] = -1,
) -> Any:
    """Return the cosine similarity of all pairs of patches."""
    return _packed(views.similarity(model, picture, layer))


@router.get("/relevance", response_model=RelevanceAnswer)
def relevance(
    views: TheViews,
    model: OneModel,
    picture: OnePicture,
    target: Annotated[str | None, Query(description="A class; empty: the most probable one.")] = None,
) -> Any:
    """Return the relevance of each patch for a class (Chefer et al. 2021)."""
    return _packed(views.relevance(model, picture, target))


@router.get("/predict", response_model=PredictionAnswer)
def predict(views: TheViews, model: OneModel, picture: OnePicture) -> Any:
    """Return the probability of each class, the most probable first."""
    return _packed(views.prediction(model, picture))


@router.get("/embed", response_model=EmbeddingAnswer)
def embed(
    views: TheViews,
    model: OneModel,
    picture: OnePicture,
    layer: Annotated[int, Query(description="Layer, 0 … L; −1 is the last.")] = -1,
    pool: Annotated[
        Literal["mean", "class"], Query(description="The mean of the patches, or the class token.")
    ] = "mean",
) -> Any:
    """Return the embedding of a picture, one vector."""
    return _packed(views.embedding(model, picture, layer, pool))


@router.post("/reconstruct", response_model=ReconstructionAnswer)
def reconstruct(
    views: TheViews, models: AllModels, pictures: AllPictures, mask: ReconstructionRequest
) -> Any:
    """Return the hidden patches as a masked autoencoder predicts them from the visible ones."""
    return _packed(views.reconstruction(models.state(mask.model), pictures.picture(mask.picture), mask))


def _packed(answer: dict[str, Any]) -> Response:
    """Return arrays as JSON; float32 values have the fewest digits that identify them."""
    body = orjson.dumps(answer, default=_side_by_side, option=orjson.OPT_SERIALIZE_NUMPY)
    return Response(body, media_type="application/json")


def _side_by_side(value: Any) -> Any:
    return value.copy()  # orjson accepts only contiguous arrays
