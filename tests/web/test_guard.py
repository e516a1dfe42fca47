"""Who may ask, how much, and how slowly."""

import re
import time
from collections.abc import Iterator
from pathlib import Path

import anyio
import httpx2
import pytest
from fastapi.testclient import TestClient
from starlette.types import Send

from kakera.web.app import STATIC, build
from kakera.web.guard import AT_A_TIME, Guard, is_local
from kakera.web.store import MOST_BYTES
from tests.web.runs import client, three_runs


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> TestClient:
    return client(three_runs(tmp_path_factory.mktemp("runs"))[:1])


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:8421", "localhost:1", "[::1]:8421"])
def test_this_machines_names_are_answered(web: TestClient, host: str) -> None:
    assert web.get("/api/models", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "192.168.1.5", "localhost.evil", "[bad", ""]
)
def test_other_names_for_this_machine_are_refused(web: TestClient, host: str) -> None:
    answer = web.get("/api/models", headers={"host": host})
    assert answer.status_code == 403
    assert answer.json()["detail"].startswith("host: got ")


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://127.0.0.1:9999", "https://localhost"]
)
def test_other_origins_are_refused(web: TestClient, origin: str) -> None:
    for call in (web.get("/api/models", headers={"origin": origin}), _send(web, origin)):
        assert call.status_code == 403
        assert "access-control-allow-origin" not in call.headers


def _send(web: TestClient, origin: str) -> httpx2.Response:
    return web.post("/api/pictures", content=b"x", headers={"origin": origin})


def test_the_pages_own_origin_is_answered(web: TestClient) -> None:
    assert web.get("/api/models", headers={"origin": "http://127.0.0.1"}).status_code == 200


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_another_site_is_refused_even_without_an_origin(web: TestClient, site: str) -> None:
    assert web.get("/api/models", headers={"sec-fetch-site": site}).status_code == 403


def test_a_body_that_is_too_large_is_refused(web: TestClient) -> None:
    answer = web.post("/api/pictures", content=bytes(MOST_BYTES + 1))
    assert answer.status_code == 413
    assert "at most 20 MiB" in answer.json()["detail"]


def test_a_body_without_a_stated_length_is_counted(web: TestClient) -> None:
    def parts() -> Iterator[bytes]:
        for _ in range(MOST_BYTES // (1 << 20) + 1):
            yield bytes(1 << 20)

    assert web.post("/api/pictures", content=parts()).status_code == 413


def test_a_body_that_never_ends_is_cut_off() -> None:
    sent: list[dict[str, object]] = []

    async def receive() -> dict[str, object]:
        await anyio.sleep(0.02)
        return {"type": "http.request", "body": b"x", "more_body": True}

    async def send(message: dict[str, object]) -> None:
        sent.append(message)

    async def app(*_: object) -> None:
        raise AssertionError("a slow request reached the application")

    scope = {"type": "http", "method": "POST", "path": "/", "headers": [(b"host", b"127.0.0.1")]}
    began = time.monotonic()
    anyio.run(Guard(app, "127.0.0.1", most_seconds=0.2), scope, receive, send)
    assert sent[0]["status"] == 408
    assert time.monotonic() - began < 10


def test_on_other_addresses_any_address_is_answered_but_no_foreign_name(tmp_path: Path) -> None:
    app = build(three_runs(tmp_path)[:1], host="0.0.0.0")
    web = TestClient(app, base_url="http://192.168.1.5")
    assert web.get("/api/models").status_code == 200
    assert web.get("/api/models", headers={"host": "evil.example"}).status_code == 403


@pytest.mark.parametrize(
    ("host", "local"),
    [("127.0.0.1", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("box.example", False)],
)
def test_what_only_this_machine_reaches(host: str, local: bool) -> None:
    assert is_local(host) is local


@pytest.mark.parametrize("origin", ["http://[", "http://[::1", "//", "http://127.0.0.1:99999999"])
def test_an_origin_that_is_no_address_is_refused(web: TestClient, origin: str) -> None:
    assert web.get("/api/models", headers={"origin": origin}).status_code == 403


def test_half_of_a_pair_of_utf_16_is_refused_in_a_sentence(web: TestClient) -> None:
    body, kind = r'{"model": "\ud800", "picture": "sample-1"}', {"content-type": "application/json"}
    answer = web.post("/api/reconstruct", content=body, headers=kind)
    assert answer.status_code == 404
    assert r"got \ud800, expected mae" in answer.json()["detail"]


def test_questions_are_at_most_a_mebibyte(web: TestClient) -> None:
    body = b'{"model": "mae", "picture": "sample-1"' + b" " * (1 << 20) + b"}"
    answer = web.post("/api/reconstruct", content=body)
    assert answer.status_code == 413
    assert "at most 1 MiB" in answer.json()["detail"]


@pytest.mark.parametrize("path", ["/", "/api/models", "/static/main.js", "/nothing"])
def test_head_is_answered_as_get_is_without_the_body(web: TestClient, path: str) -> None:
    whole, head = web.get(path), web.head(path)
    assert (head.status_code, head.content) == (whole.status_code, b"")
    assert head.headers["content-length"] == str(len(whole.content))


def test_a_proxys_name_and_path_are_answered_where_they_are_given(tmp_path: Path) -> None:
    runs = three_runs(tmp_path)[:1]
    web = TestClient(build(runs, allowed=["ai.example"], root_path="/k"), base_url="https://ai.example")
    for path in ("/k/", "/", "/k/static/main.js", "/k/api/models", "/api/models"):
        assert web.get(path, headers={"origin": "https://ai.example"}).status_code == 200, path
    behind = {"host": "127.0.0.1", "origin": "https://ai.example"}  # a proxy that rewrites the name
    assert web.get("/k/api/models", headers=behind).status_code == 200
    assert web.get("/k/api/models", headers={"host": "other.example"}).status_code == 403
    assert (
        web.post("/k/api/pictures", content=bytes(MOST_BYTES)).status_code == 422
    )  # so large, but no picture


def test_the_page_asks_for_nothing_by_an_absolute_path() -> None:
    for path in (STATIC / "index.html", *STATIC.glob("*.js")):
        assert not re.findall(r"""["'`]/(?:api|static)""", path.read_text()), path


def test_a_body_that_comes_to_a_halt_is_cut_off() -> None:
    sent: list[dict[str, object]] = []

    async def receive() -> dict[str, object]:
        if sent:
            return {"type": "http.disconnect"}
        await anyio.sleep(10)
        return {"type": "http.request", "body": b"x", "more_body": True}

    async def send(message: dict[str, object]) -> None:
        sent.append(message)

    async def nothing(*_: object) -> None:
        raise AssertionError

    scope = {"type": "http", "method": "POST", "path": "/api/pictures", "headers": [(b"host", b"localhost")]}
    began = time.monotonic()
    anyio.run(Guard(nothing, "127.0.0.1", stalled_seconds=0.1), scope, receive, send)
    assert sent[0]["status"] == 408
    assert time.monotonic() - began < 5


def test_more_large_bodies_than_may_wait_are_sent_away() -> None:
    answers: list[int] = []

    async def siege() -> None:
        go = anyio.Event()

        async def receive() -> dict[str, object]:
            await go.wait()
            return {"type": "http.request", "body": b"x", "more_body": False}

        async def send(message: dict[str, object]) -> None:
            if message["type"] == "http.response.start":
                answers.append(int(str(message["status"])))

        async def fine(_: object, __: object, send: Send) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body"})

        guard = Guard(fine, "127.0.0.1", queue=2)
        headers = [(b"host", b"localhost"), (b"content-length", b"1000000")]
        scope = {"type": "http", "method": "POST", "path": "/api/pictures", "headers": headers}
        async with anyio.create_task_group() as group:
            for _ in range(AT_A_TIME + 2 + 3):
                group.start_soon(guard, scope, receive, send)
            await anyio.sleep(0.1)
            assert answers == [429] * 3
            go.set()

    anyio.run(siege)
    assert sorted(answers) == [200] * (AT_A_TIME + 2) + [429] * 3
