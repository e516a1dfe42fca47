"""The FastAPI application of the explorer: models, pictures and cached answers, behind the guard."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from html import escape
from pathlib import Path

import anyio
from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles
from starlette.responses import HTMLResponse

import kakera
from kakera.explain import captions
from kakera.machine import usable_cores
from kakera.web.errors import refuse_in_one_sentence
from kakera.web.guard import QUEUE, Guard
from kakera.web.models import Models
from kakera.web.pictures import PictureStore
from kakera.web.recordings import RecordingStore
from kakera.web.routes import router
from kakera.web.samples import open_samples
from kakera.web.views import Views

STATIC = Path(__file__).with_name("static")
SENTENCES = {
    "attention": captions.ATTENTION,
    "similarity": captions.SIMILARITY,
    "reconstruction": captions.RECONSTRUCTION,
    "relevance": f"The {captions.RELEVANCE}: {captions.MAP_RANGE}.",
}


def build(
    runs: Sequence[str | Path],
    *,
    pictures: str = "",
    host: str = "127.0.0.1",
    allowed: Collection[str] = (),
    root_path: str = "",
    queue: int = QUEUE,
) -> FastAPI:
    """Build the explorer for the run folders `runs`.

    `pictures` is a folder, a file or a built-in name; empty takes samples of the training data. `host` is
    the address of the server, `allowed` are further accepted host names, and `root_path` is the path below
    which a proxy shows the server. `queue` is the number of large uploads that may wait.

    Raises RunError if a run cannot be opened, and DataError if no picture can be read.
    """
    app = FastAPI(
        title="kakera",
        version=kakera.__version__,
        description="Inspect Vision Transformers and masked autoencoders on pictures and recordings.",
        docs_url=None,  # both pages would load scripts from other servers
        redoc_url=None,
    )
    models = Models(runs)
    samples = open_samples(pictures, runs, models.sound, models.channels)
    app.state.models = models
    app.state.pictures = PictureStore(samples) if models.sound is None else RecordingStore(samples)
    app.state.views = Views.new()
    app.state.decoding = anyio.Semaphore(max(1, usable_cores() - 1))  # uploads at a time
    app.add_middleware(Guard, host=host, allowed=allowed, root_path=root_path, queue=queue)
    refuse_in_one_sentence(app)
    app.include_router(router)
    app.mount("/static", StaticFiles(directory=STATIC))
    app.add_api_route("/", _page, include_in_schema=False)
    return app


def _page() -> HTMLResponse:
    """Return the page, with the sentences that it shares with `kakera explain` in their places."""
    text = (STATIC / "index.html").read_text(encoding="utf-8")
    for view, words in SENTENCES.items():
        text = text.replace(f"{{{{{view}}}}}", escape(words))
    return HTMLResponse(text)
