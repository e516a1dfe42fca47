"""The error answers of the server: an HTTP status, and one sentence in `detail`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from kakera.errors import InputError, StorageError, sentence
from kakera.web.schemas import Refusal

REFUSALS: dict[int | str, dict[str, Any]] = {
    403: {"model": Refusal, "description": "The request comes from another site."},
    404: {"model": Refusal, "description": "No model or picture has this id."},
    408: {"model": Refusal, "description": "The request body arrived too slowly."},
    413: {"model": Refusal, "description": "The request body is too large."},
    422: {"model": Refusal, "description": "A parameter, the body or the file is invalid."},
    429: {"model": Refusal, "description": "Too many requests are waiting."},
}


class UnknownError(LookupError):
    """An id that no model and no picture has.

    Example:

        >>> str(UnknownError("no picture has the id 7"))
        'no picture has the id 7'
    """


class BusyError(Exception):
    """Too many requests are waiting.

    Example:

        >>> from kakera.web.cache import Limiter
        >>> limiter = Limiter(patience_seconds=0.0, at_a_time=1)
        >>> with limiter.slot():
        ...     try:
        ...         limiter.slot().__enter__()
        ...     except BusyError:
        ...         print("too many requests")
        too many requests
    """


def refusal(status: int, detail: str, headers: Mapping[str, str] | None = None) -> Response:
    """Return an error answer: one sentence as JSON.

    Characters that UTF-8 cannot encode, such as half of a UTF-16 surrogate pair, become "?".

    Example:

        >>> answer = refusal(404, "no picture has the id 7")
        >>> answer.status_code, answer.body
        (404, b'{"detail":"no picture has the id 7"}')
    """
    detail = detail.encode(errors="replace").decode()
    return Response(orjson.dumps({"detail": detail}), status, headers, "application/json")


def refuse_in_one_sentence(app: FastAPI) -> None:
    """Add a handler for every error that a request can cause.

    Example:

        >>> app = FastAPI()
        >>> refuse_in_one_sentence(app)
        >>> BusyError in app.exception_handlers
        True
    """

    @app.exception_handler(InputError)
    def of_input(request: Request, error: InputError) -> Response:
        return refusal(422, str(error))

    @app.exception_handler(StorageError)
    def of_storage(request: Request, error: StorageError) -> Response:
        return refusal(507, str(error))

    @app.exception_handler(UnknownError)
    def of_name(request: Request, error: UnknownError) -> Response:
        return refusal(404, str(error))

    @app.exception_handler(BusyError)
    def of_rush(request: Request, error: BusyError) -> Response:
        detail = sentence("server", got="too many requests at once", expected="fewer", do="ask again later")
        return refusal(429, detail, {"Retry-After": "5"})

    @app.exception_handler(RequestValidationError)
    def of_form(request: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"][1:]) or "request"
        got = str(first.get("input"))[:80]
        return refusal(422, sentence(place, got=got, expected=first["msg"], do="correct it"))

    @app.exception_handler(HTTPException)
    def of_address(request: Request, error: HTTPException) -> Response:
        if error.status_code == 400:  # a body that is not text, or that is nested too deeply
            return refusal(
                422, sentence("body", got="invalid JSON", expected="JSON in UTF-8", do="correct it")
            )
        got = f"{request.method} {request.url.path[:80]}"
        detail = sentence("address", got=got, expected="an address listed in /openapi.json", do=error.detail)
        return refusal(error.status_code, detail, error.headers)
