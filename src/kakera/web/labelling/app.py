"""The FastAPI application of `kakera label`: one labelling, behind the guard of the explorer."""

from __future__ import annotations

from collections.abc import Collection

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles
from starlette.responses import FileResponse

import kakera
from kakera.commands.labelling.setup import OpenLabelling
from kakera.web.app import STATIC
from kakera.web.errors import refuse_in_one_sentence
from kakera.web.guard import QUEUE, Guard
from kakera.web.labelling.answers import Answers
from kakera.web.labelling.routes import router


def build_labelling(
    opened: OpenLabelling,
    *,
    host: str = "127.0.0.1",
    allowed: Collection[str] = (),
    root_path: str = "",
    queue: int = QUEUE,
) -> FastAPI:
    """Build the application of an open labelling. The other arguments are as in `kakera.web.app.build`."""
    app = FastAPI(
        title="kakera label",
        version=kakera.__version__,
        description="Label pictures and recordings; the head chooses which.",
        docs_url=None,  # both pages would load scripts from other servers
        redoc_url=None,
    )
    app.state.answers = Answers(opened)
    app.add_middleware(Guard, host=host, allowed=allowed, root_path=root_path, queue=queue)
    refuse_in_one_sentence(app)
    app.include_router(router)
    app.mount("/static", StaticFiles(directory=STATIC))
    app.add_api_route("/", _page, include_in_schema=False)
    return app


def _page() -> FileResponse:
    return FileResponse(STATIC / "label" / "index.html")
