"""Uploads, friendly and not."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from kakera.data.sources.files import open_pictures
from kakera.web import store as module
from kakera.web.errors import UnknownError
from kakera.web.pictures import PictureStore
from tests.small import folder
from tests.web.runs import client, png, three_runs

GREY = np.arange(28 * 28, dtype=np.uint8).reshape(28, 28)


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> TestClient:
    return client(three_runs(tmp_path_factory.mktemp("runs")))


def encoded(kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(GREY).save(buffer, kind, **options)
    return buffer.getvalue()


def bomb(width: int, height: int) -> bytes:
    """A PNG whose header promises many pixels; its data are a few bytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(b"\0" * 1000))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF"])
def test_every_kind_of_picture_is_taken(web: TestClient, kind: str) -> None:
    answer = web.post("/api/pictures", content=encoded(kind))
    assert answer.status_code == 200
    assert web.get(f"/api/pictures/{answer.json()['id']}", params={"model": "mae"}).status_code == 200


HOSTILE = {
    "nothing": b"",
    "text": b"hello",
    "html": b"<html><script>alert(1)</script></html>",
    "svg": b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>',
    "pickle": b"cos\nsystem\n(S'true'\ntR.",
    "pdf": b"%PDF-1.7 ...",
    "zip": b"PK\x03\x04" + bytes(100),
    "truncated png": png(GREY)[:-200],
    "truncated jpeg": encoded("JPEG")[:-200],
    "half a header": png(GREY)[:20],
    "noise": bytes(np.random.default_rng(0).integers(0, 256, 5000, dtype=np.uint8)),
    "bomb": bomb(60_000, 60_000),
    "wide bomb": bomb(2_000_000_000, 1),
    "empty picture": bomb(0, 0),
    "postscript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n",
    "false size": png(GREY)[:16] + struct.pack(">II", 28, 280_000) + png(GREY)[24:],
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_uploads_are_refused_in_one_sentence(web: TestClient, content: bytes) -> None:
    answer = web.post("/api/pictures", content=content)
    assert 400 <= answer.status_code < 500, answer.text
    assert "\n" not in answer.json()["detail"]


def test_more_pixels_than_the_server_takes_are_refused_before_they_are_decoded(web: TestClient) -> None:
    answer = web.post("/api/pictures", content=bomb(8000, 6000))
    assert answer.status_code == 422
    assert "8000 x 6000 pixels, expected at most 40,000,000" in answer.json()["detail"]


def test_nothing_is_written_to_the_disk(
    web: TestClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[object] = []

    def watched(event: str, arguments: tuple[object, ...]) -> None:
        if watching and event == "open":
            path, mode = arguments[0], arguments[1]
            opened.append((path, mode))

    import sys

    watching = True
    sys.addaudithook(watched)
    try:
        for content in (*HOSTILE.values(), png(GREY)):
            web.post("/api/pictures", content=content)
        for name in ("../../etc/passwd", "/etc/passwd", "sample-1/../../x"):
            web.get("/api/predict", params={"model": "classifier", "picture": name})
            web.get("/api/predict", params={"model": name, "picture": "sample-1"})
    finally:
        watching = False
    assert [entry for entry in opened if "passwd" in str(entry[0]) or "w" in str(entry[1])] == []


def test_the_same_content_has_the_same_id(web: TestClient) -> None:
    first, second = (web.post("/api/pictures", content=png(GREY)).json()["id"] for _ in range(2))
    assert first == second


def test_the_oldest_uploads_are_forgotten_when_there_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    shelf = PictureStore(open_pictures(["demo"], 3))
    contents = [png(np.full((28, 28), value, np.uint8)) for value in range(4)]
    monkeypatch.setattr(module, "KEPT_BYTES", sum(map(len, contents[1:])))
    first, second, *_ = [shelf.add(content).id for content in contents]
    assert shelf.picture(second).id == second
    with pytest.raises(UnknownError, match="expected a sample or an upload; upload it again"):
        shelf.picture(first)
    assert shelf.picture("sample-1").name == "T-shirt/top"


def test_a_samples_name_says_nothing_of_where_it_lies(tmp_path: Path) -> None:
    shelf = PictureStore(open_pictures([folder(tmp_path / "pictures", count=1)], 3))
    assert [picture.name for picture in shelf.samples] == ["0.png", "0.png"]
