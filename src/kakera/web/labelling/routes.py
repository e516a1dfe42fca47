"""The HTTP requests of `kakera label`. A label is on the disk when its answer is sent."""

from typing import Annotated, Any

import numpy as np
import orjson
from fastapi import APIRouter, Depends, Request, Response

from kakera.web.errors import REFUSALS
from kakera.web.labelling.answers import Answers
from kakera.web.labelling.schemas import (
    BatchAnswer,
    BatchRequest,
    ColoursAnswer,
    FileAnswer,
    LabelAnswer,
    LabelRequest,
    MapAnswer,
    ProgressAnswer,
    UndoAnswer,
    UndoRequest,
)
from kakera.web.schemas import Refusal

FULL = {"model": Refusal, "description": "The disk is full, or the table cannot be written."}
router = APIRouter(prefix="/api", responses={**REFUSALS, 507: FULL})
WAV: dict[int | str, dict[str, Any]] = {200: {"content": {"audio/wav": {}}, "description": "A WAV file."}}
PNG: dict[int | str, dict[str, Any]] = {200: {"content": {"image/png": {}}, "description": "A PNG file."}}
FRESH = {"Cache-Control": "no-store"}  # the file may change


def answers_of(request: Request) -> Answers:
    """Return the labelling of this server."""
    return request.app.state.answers


TheAnswers = Annotated[Answers, Depends(answers_of)]


@router.get("/progress", response_model=ProgressAnswer)
def progress(answers: TheAnswers) -> Any:
    """Return the progress, and how good the head was at the last batch."""
    return answers.progress()


@router.post("/batch", response_model=BatchAnswer)
def batch(answers: TheAnswers, asked: BatchRequest) -> Any:
    """Train the head on all labels, and return the next files of a person."""
    return answers.batch(asked.session, choose=asked.choose)


@router.post("/label", response_model=LabelAnswer)
def label(answers: TheAnswers, click: LabelRequest) -> Any:
    """Label files, or skip them. The answer is sent when the table on the disk has the label."""
    notes = answers.labelling.assign(click.files, click.label, click.session, person=click.person)
    return LabelAnswer(notes=notes, progress=answers.progress())


@router.post("/undo", response_model=UndoAnswer)
def undo(answers: TheAnswers, asked: UndoRequest) -> Any:
    """Take back the last click of a session, on the disk too."""
    files = answers.labelling.undo(asked.session)
    return UndoAnswer(files=[answers.file(row) for row in files], progress=answers.progress())


@router.get("/files/{file}", response_model=FileAnswer)
def file(answers: TheAnswers, file: int) -> Any:
    """Return name, label and prediction of a file."""
    return answers.file(answers.require(file))


@router.get("/files/{file}/picture", responses=PNG, response_class=Response)
def picture(answers: TheAnswers, file: int) -> Any:
    """Return a picture, or the spectrogram of a recording, as PNG."""
    return Response(answers.media.picture(answers.require(file)), media_type="image/png", headers=FRESH)


@router.get("/files/{file}/sound", responses=WAV, response_class=Response)
def sound(answers: TheAnswers, file: int) -> Any:
    """Return the first minute of a recording as WAV."""
    return Response(answers.media.sound(answers.require(file)), media_type="audio/wav", headers=FRESH)


@router.get("/map", response_model=MapAnswer)
def places(answers: TheAnswers) -> Any:
    """Return the places of all files on a plane, by the first two principal components of their tokens."""
    return _packed(answers.places())


@router.get("/colours", response_model=ColoursAnswer)
def colours(answers: TheAnswers) -> Any:
    """Return label, prediction, suspicion and part of all files."""
    return _packed(answers.colours())


def _packed(answer: dict[str, Any]) -> Response:
    arrays = {name: _short(value) for name, value in answer.items()}
    return Response(orjson.dumps(arrays, option=orjson.OPT_SERIALIZE_NUMPY), media_type="application/json")


def _short(value: Any) -> Any:
    """Return an array that orjson accepts, with three digits."""
    if not isinstance(value, np.ndarray):
        return value
    return np.ascontiguousarray(value.round(3) if value.dtype.kind == "f" else value)
