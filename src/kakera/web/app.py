"""The application: models, pictures and what is remembered of them, behind the guard."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles
from starlette.responses import FileResponse

import kakera
from kakera.web.guard import Guard
from kakera.web.models import Models
from kakera.web.pictures import Pictures
from kakera.web.recordings import Recordings
from kakera.web.refusals import refuse_in_one_sentence
from kakera.web.routes import router
from kakera.web.samples import open_samples
from kakera.web.views import Views

STATIC = Path(__file__).with_name("static")


def build(runs: Sequence[str | Path], *, pictures: str = "", host: str = "127.0.0.1") -> FastAPI:
    """The explorer of some runs. Raises RunError for one that cannot be opened, DataError for pictures."""
    app = FastAPI(
        title="kakera",
        version=kakera.__version__,
        description="What models see in pictures and hear in recordings.",
        docs_url=None,  # both would be fetched from elsewhere
        redoc_url=None,
    )
    models = Models(runs)
    samples = open_samples(pictures, runs, models.sound, models.channels)
    app.state.models = models
    app.state.pictures = Pictures(samples) if models.sound is None else Recordings(samples)
    app.state.views = Views.new()
    app.add_middleware(Guard, host=host)
    refuse_in_one_sentence(app)
    app.include_router(router)
    app.mount("/static", StaticFiles(directory=STATIC))
    app.add_api_route("/", _page, include_in_schema=False)
    return app


def _page() -> FileResponse:
    return FileResponse(STATIC / "index.html")
