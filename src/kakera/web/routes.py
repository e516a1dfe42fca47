"""What can be asked of the server. The same calls serve the page and a program."""

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
    "A picture: JPEG, PNG, WebP, TIFF, BMP, GIF, AVIF, JPEG 2000, PPM or TGA; "
    "where the models take recordings a recording: WAV, FLAC, "
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
PNG: dict[int | str, dict[str, Any]] = {200: {"content": {"image/png": {}}, "description": "A PNG."}}


def models_of(request: Request) -> Models:
    """The models of this server."""
    return request.app.state.models


def pictures_of(request: Request) -> Store:
    """The pictures of this server."""
    return request.app.state.pictures


def views_of(request: Request) -> Views:
    """What this server remembers of them."""
    return request.app.state.views


AllModels = Annotated[Models, Depends(models_of)]
AllPictures = Annotated[Store, Depends(pictures_of)]
TheViews = Annotated[Views, Depends(views_of)]


def model_of(models: AllModels, model: Annotated[str, Query(description="The id of a model.")]) -> State:
    """The model that a question names."""
    return models.state(model)


def picture_of(
    pictures: AllPictures, picture: Annotated[str, Query(description="The id of a sample or an upload.")]
) -> Item:
    """The picture that a question names."""
    return pictures.picture(picture)


OneModel = Annotated[State, Depends(model_of)]
OnePicture = Annotated[Item, Depends(picture_of)]


@router.get("/models", response_model=list[ModelAnswer])
def list_models(models: AllModels) -> Any:
    """The models that are open."""
    return [state.describe() for state in models.states()]


@router.get("/samples", response_model=list[PictureAnswer])
def list_samples(pictures: AllPictures) -> Any:
    """Pictures to choose from."""
    return [answer(picture) for picture in pictures.samples]


@router.post("/pictures", response_model=PictureAnswer, openapi_extra=UPLOAD)
async def send_picture(request: Request, pictures: AllPictures) -> Any:
    """Send a picture; it is kept in memory for a while, and asked about by its id."""
    content = await request.body()
    async with request.app.state.decoding:
        return answer(await run_in_threadpool(_added, pictures, content))


def _added(pictures: Store, content: bytes) -> Item:
    try:
        return pictures.add(content)
    finally:
        give_back()  # what a large picture took while it was decoded


@router.get("/pictures/{picture}", responses=PNG, response_class=Response)
def show_picture(
    views: TheViews,
    pictures: AllPictures,
    picture: str,
    model: OneModel,
    shown: Annotated[Shown, Query()] = [],  # noqa: B006  # FastAPI copies it
) -> Any:
    """A picture in the size and channels of a model."""
    return Response(views.png(model, pictures.picture(picture), shown), media_type="image/png")


@router.get("/scene", response_model=SceneAnswer)
def scene(views: TheViews, model: OneModel, picture: OnePicture) -> Any:
    """What there is of a picture or recording for a model, and what rows and columns mean."""
    return views.scene(model, picture)


@router.get("/sound", responses=WAV, response_class=Response)
def sound(views: TheViews, model: OneModel, picture: OnePicture) -> Any:
    """What a model hears of a recording: one window, one channel, at its own rate."""
    return Response(views.audio(model, picture), media_type="audio/wav")


@router.post("/sound", responses=WAV, response_class=Response)
def sound_of_guess(views: TheViews, models: AllModels, pictures: AllPictures, mask: AudioRequest) -> Any:
    """A spectrogram made audible by Griffin-Lim: phases are estimated, what lies between bands is lost."""
    found = views.reconstructed_audio(models.state(mask.model), pictures.picture(mask.picture), mask)
    return Response(found, media_type="audio/wav")


@router.get("/attention", response_model=AttentionAnswer)
def attention(
    views: TheViews,
    model: OneModel,
    picture: OnePicture,
    layer: Annotated[int, Query(description="1 … L; −1 is the last.")] = -1,
    head: Annotated[int, Query(description="1 … H; 0 is the mean.")] = 0,
    token: Annotated[int | None, Query(description="0 is the class token; empty takes all.")] = None,
) -> Any:
    """Where tokens look: softmax of q_iᵀk_j / √D_k, over the patches."""
    return _packed(views.attention(model, picture, layer, head, token))


@router.get("/rollout", response_model=AttentionAnswer)
def rollout(views: TheViews, model: OneModel, picture: OnePicture) -> Any:
    """Attention followed through all layers (Abnar and Zuidema 2020)."""
    return _packed(views.rollout(model, picture))


@router.get("/similarity", response_model=SimilarityAnswer)
def similarity(
    views: TheViews,
    model: OneModel,
    picture: OnePicture,
    layer: Annotated[int | Literal["raw"], Query(description="0 … L, −1 the last, or raw pixels.")] = -1,
) -> Any:
    """How alike the patches are."""
    return _packed(views.similarity(model, picture, layer))


@router.get("/relevance", response_model=RelevanceAnswer)
def relevance(
    views: TheViews,
    model: OneModel,
    picture: OnePicture,
    target: Annotated[str | None, Query(description="A class; empty takes the likeliest.")] = None,
) -> Any:
    """Which patches speak for a class (Chefer et al. 2021)."""
    return _packed(views.relevance(model, picture, target))


@router.get("/predict", response_model=PredictionAnswer)
def predict(views: TheViews, model: OneModel, picture: OnePicture) -> Any:
    """What a picture shows."""
    return _packed(views.prediction(model, picture))


@router.get("/embed", response_model=EmbeddingAnswer)
def embed(
    views: TheViews,
    model: OneModel,
    picture: OnePicture,
    layer: Annotated[int, Query(description="0 … L; −1 is the last.")] = -1,
    pool: Annotated[
        Literal["mean", "class"], Query(description="Of the patches, or the class token.")
    ] = "mean",
) -> Any:
    """A picture as one vector."""
    return _packed(views.embedding(model, picture, layer, pool))


@router.post("/reconstruct", response_model=ReconstructionAnswer)
def reconstruct(
    views: TheViews, models: AllModels, pictures: AllPictures, mask: ReconstructionRequest
) -> Any:
    """What a masked autoencoder makes of the patches that it sees."""
    return _packed(views.reconstruction(models.state(mask.model), pictures.picture(mask.picture), mask))


def _packed(answer: dict[str, Any]) -> Response:
    """Arrays as JSON, float32 in as few digits as tell it apart."""
    body = orjson.dumps(answer, default=_side_by_side, option=orjson.OPT_SERIALIZE_NUMPY)
    return Response(body, media_type="application/json")


def _side_by_side(value: Any) -> Any:
    return value.copy()  # orjson takes arrays only where their rows lie side by side
