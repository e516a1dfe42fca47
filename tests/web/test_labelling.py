"""The server of `kakera label`: clicks on the disk, several people, the guard on every request, faults."""

import csv
import errno
import io
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from urllib.request import Request, urlopen

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from kakera.cli.main import main
from kakera.commands.labelling.setup import open_label_setup, start_labelling
from kakera.data.sources.open import open_dataset
from kakera.formats.bundle import Pretrained
from kakera.inputs import InputSpec
from kakera.model.vit import ViT
from kakera.sound.spec import SoundSpec
from kakera.web.labelling.app import build_labelling
from tests.small import folder
from tests.warm import Process

WORDS = ["label", "my pictures", "--init-from", "encoder", "--out", "labels.csv"]


def encoder(path: Path) -> None:
    inputs = InputSpec(3, 28, 28, (0.5,) * 3, (0.5,) * 3)
    Pretrained(ViT("nano", channels=3, image_size=28, seed=0), inputs).save(path)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KAKERA_CACHE", str(tmp_path / "cache"))
    folder(tmp_path / "my pictures", count=12)
    encoder(tmp_path / "encoder")
    return tmp_path


def client(out: str = "labels.csv", data: str = "my pictures") -> TestClient:
    opened = start_labelling(open_label_setup(data, "encoder", out))
    app = build_labelling(opened)
    return TestClient(app, base_url="http://127.0.0.1:8421", raise_server_exceptions=False)


def batch(web: TestClient, session: str = "ann", **more: object) -> list[dict[str, object]]:
    answer = web.post("/api/batch", json={"session": session, **more})
    assert answer.status_code == 200, answer.text
    return answer.json()["files"]


def click(
    web: TestClient, file: object, label: str, session: str = "ann", person: str = ""
) -> dict[str, object]:
    sent = {"session": session, "files": [file], "label": label, "person": person}
    answer = web.post("/api/label", json=sent)
    assert answer.status_code == 200, answer.text
    return answer.json()


def table(out: str = "labels.csv") -> dict[str, str]:
    with Path(out).open(newline="") as file:
        return {row["file"]: row["label"] for row in csv.DictReader(file)}


def test_each_answered_click_is_in_the_table(here: Path) -> None:
    web, seen = client(), dict[str, str]()
    assert web.get("/api/progress").json()["classes"] == ["bag", "boot"]  # those of the folders
    while files := batch(web):
        for file in files:
            name = str(web.app.state.answers.opened.dataset.pictures.name(file["file"]))  # pyright: ignore
            label = Path(name).parent.name
            answer = click(web, file["file"], label)
            seen[name] = label
            assert table() == seen
            assert answer["progress"]["labelled"] == len(seen)  # pyright: ignore
    assert len(seen) == 24
    progress = web.get("/api/progress").json()
    assert progress["counts"] == [12, 12]
    assert main(["fit", "labels.csv", "--init-from", "encoder", "--out", "run", "--plan"]) == 0


def test_pages_at_the_same_time_have_different_files(here: Path) -> None:
    web = client()
    first, second = ({file["file"] for file in batch(web, name)} for name in ("ann", "ben"))
    assert len(first | second) == 20
    assert web.get("/api/progress").json()["people"] == 2
    assert {file["file"] for file in batch(web, "ann")} == first  # opened again, nothing lost


def test_a_second_label_names_the_first_person(here: Path) -> None:
    web = client()
    click(web, 3, "bag", "ann", "Ann")
    assert click(web, 3, "boot", "ben", "Ben")["notes"] == ["Ann had labelled it bag"]
    with Path("labels.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["label"], row["person"], row["earlier"]) == ("boot", "Ben", "bag by Ann")


def test_undo_takes_the_click_back_on_the_disk(here: Path) -> None:
    web = client()
    click(web, 3, "bag")
    answer = web.post("/api/undo", json={"session": "ann"})
    assert [file["file"] for file in answer.json()["files"]] == [3]
    assert table() == {}
    refused = web.post("/api/undo", json={"session": "ann"})
    assert refused.status_code == 422
    assert refused.json()["detail"].startswith("undo: got no click of yours")


def test_a_full_disk_is_one_sentence_and_no_click(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    web = client()
    click(web, 0, "bag")

    def full(place: int, content: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as disk:
        disk.setattr("kakera.storage.os.write", full)
        answer = web.post("/api/label", json={"session": "ann", "files": [1], "label": "bag"})
    assert answer.status_code == 507
    assert "got No space left on device" in answer.json()["detail"]
    assert len(table()) == web.get("/api/progress").json()["labelled"] == 1


def paths(web: TestClient) -> dict[str, dict[str, object]]:
    return web.get("/openapi.json").json()["paths"]


@pytest.mark.parametrize("headers", [{"host": "evil.example"}, {"origin": "http://evil.example"}])
def test_the_guard_refuses_other_sites_at_every_address(here: Path, headers: dict[str, str]) -> None:
    web = client()
    routes = [(path, method) for path, methods in paths(web).items() for method in methods]
    assert len(routes) == 9
    for path, method in [*routes, ("/", "get"), ("/static/label/main.js", "get"), ("/openapi.json", "get")]:
        sent = {"session": "ann", "files": [0], "label": "bag"}
        answer = web.request(method.upper(), path.format(file=0), headers=headers, json=sent)
        assert (answer.status_code, answer.json()["detail"].partition(":")[0]) == (403, next(iter(headers)))
    assert not Path("labels.csv").exists()


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("label", {"session": "ann", "files": [], "label": "bag"}),
        ("label", {"session": "ann", "files": [99], "label": "bag"}),
        ("label", {"session": "ann", "files": [-1], "label": "bag"}),
        ("label", {"session": "ann", "files": [0], "label": "bag|boot"}),
        ("label", {"session": "ann", "files": [0], "label": "x" * 101}),
        ("label", {"session": "../x", "files": [0], "label": "bag"}),
        ("label", {"session": "ann", "files": ["0; DROP"], "label": "bag"}),
        ("batch", {"session": ""}),
        ("undo", {}),
    ],
)
def test_a_wrong_request_is_one_sentence(here: Path, path: str, body: dict[str, object]) -> None:
    web = client()
    answer = web.post(f"/api/{path}", json=body)
    assert answer.status_code == 422
    assert re.fullmatch(r"[^\n]+: got [^\n]*, expected [^\n]+; [^\n]+", answer.json()["detail"])
    assert not Path("labels.csv").exists()


@pytest.mark.parametrize("path", ["files/24", "files/-1/picture", "files/99/sound"])
def test_an_unknown_file_is_404(here: Path, path: str) -> None:
    answer = client().get(f"/api/{path}")
    assert (answer.status_code, answer.json()["detail"].partition(",")[2]) == (
        404,
        " expected 0 to 23; open the page again",
    )


def test_the_picture_is_the_one_in_the_file(here: Path) -> None:
    web = client()
    name = web.app.state.answers.opened.dataset.pictures.name(5)  # pyright: ignore
    with Image.open(io.BytesIO(web.get("/api/files/5/picture").content)) as shown, Image.open(name) as own:
        assert (np.asarray(shown) == np.asarray(own.convert("RGB"))).all()


def test_a_file_that_changed_since_its_token_is_refused(here: Path) -> None:
    web = client()
    path = Path(web.app.state.answers.opened.dataset.pictures.name(5))  # pyright: ignore
    Image.new("RGB", (28, 28)).save(path)
    answer = web.get("/api/files/5/picture")
    assert answer.status_code == 422
    assert "got another content than at the start, expected the same file; skip it" in answer.json()["detail"]
    path.unlink()
    assert web.get("/api/files/5/picture").status_code == 422
    assert web.get("/api/files/6/picture").status_code == 200


def test_map_and_colours_have_an_entry_for_each_file(here: Path) -> None:
    web = client()
    for file, label in ((0, "bag"), (1, "bag"), (12, "boot"), (13, "")):
        click(web, file, label)
    batch(web)
    places, colours = web.get("/api/map").json(), web.get("/api/colours").json()
    assert (min(places["x"]), max(places["x"]), len(places["y"])) == (-1, 1, 24)
    assert [colours["label"][file] for file in (0, 1, 12, 13, 2)] == [0, 0, 1, -2, -1]
    assert {len(colours[name]) for name in ("label", "predicted", "suspicion", "part")} == {24}
    assert set(colours["predicted"]) <= {0, 1}
    assert all(0 <= value <= 1 for value in colours["suspicion"])


def test_recordings_have_a_spectrogram_and_a_sound(here: Path) -> None:
    import soundfile

    Path("sounds").mkdir()
    waves = np.random.default_rng(0).normal(size=(3, 16_000)).astype(np.float32) / 10
    for number, wave in enumerate(waves):
        soundfile.write(f"sounds/{number}.wav", wave, 16_000)
    spec = SoundSpec()
    inputs = InputSpec(1, spec.bins, 64, (0.0,), (1.0,), sound=spec)
    Pretrained(ViT("nano", channels=1, image_size=(spec.bins, 64), seed=0), inputs).save("encoder")
    web = client(data="sounds")
    with Image.open(io.BytesIO(web.get("/api/files/1/picture").content)) as picture:
        assert picture.height == spec.bins
    heard, rate = soundfile.read(io.BytesIO(web.get("/api/files/1/sound").content), dtype="float32")
    assert rate == spec.rate
    assert abs(len(heard) / rate - 1) < 0.05
    click(web, 1, "noise")
    assert table() == {"sounds/1.wav": "noise"}
    assert open_dataset("labels.csv").kind == "recordings"


def test_a_kill_loses_no_answered_click(here: Path) -> None:
    server = Process(*WORDS, "--port", "0", "--batch", "4")
    while not (line := server.readline()).startswith("http"):
        assert line, server.communicate(timeout=60)
    address, answered = line.split()[0], list[int]()

    def post(path: str, **body: object) -> dict[str, list[dict[str, int]]]:
        sent = Request(
            f"{address}api/{path}", json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        with urlopen(sent, timeout=30) as answer:
            return json.load(answer)

    for _ in range(3):
        for file in post("batch", session="ann")["files"]:
            post("label", session="ann", files=[file["file"]], label="bag" if file["file"] % 2 else "boot")
            answered.append(file["file"])
    server.kill()
    server.communicate(timeout=60)
    assert len(answered) == len(table()) == 12
    names = [str(client().app.state.answers.opened.dataset.pictures.name(file)) for file in answered]  # pyright: ignore
    assert {
        name: "bag" if file % 2 else "boot" for name, file in zip(names, answered, strict=True)
    } == table()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (WORDS[:2], "kakera label: got no --init-from, expected a run folder"),
        (WORDS[:4], "kakera label: got no --out, expected a .csv table; add --out labels.csv"),
        ([*WORDS[:5], "labels.xlsx"], "out: got labels.xlsx, expected a .csv file"),
        ([*WORDS, "--batch", "0"], "batch: got 0, expected 1 to 1000"),
        ([*WORDS, "--classes", "a|b"], "label: got a|b, expected one class"),
        ([*WORDS, "--port", "99999"], "port: got 99999, expected"),
        (["label", "demo", *WORDS[2:]], "demo: got samples that are no files of their own"),
        (["label", "nowhere", *WORDS[2:]], "nowhere: got no such file or folder"),
        (["label", "empty", *WORDS[2:]], "empty: got"),
        (["label", "broken", *WORDS[2:]], "broken: got 0 readable files, 2 unreadable, such as broken/"),
        ([*WORDS[:3], "nan", *WORDS[4:]], "got "),
        ([*WORDS[:5], "theirs.csv"], "out: got theirs.csv, which exists, expected a new file, or a table of"),
        (
            ["label", "theirs.csv", *WORDS[2:5], "theirs.csv"],
            "out: got the data set itself, expected another",
        ),
    ],
)
def test_a_mistake_is_one_line(
    words: list[str], said: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("empty").mkdir()
    Path("broken").mkdir()
    for number in range(2):
        Path("broken", f"{number}.png").write_bytes(b"\x89PNG" + bytes([number]))
    Path("theirs.csv").write_text("file,label\nmy pictures/bag/0.png,x\nmy pictures/bag/1.png,y\n")
    saved = Pretrained(
        ViT("nano", channels=3, image_size=28, seed=0), InputSpec(3, 28, 28, (0.5,) * 3, (0.5,) * 3)
    )
    next(saved.model.parameters()).data[:] = float("nan")
    saved.save("nan")
    assert main(words) == 2
    error = capsys.readouterr().err
    assert said in error
    assert [line for line in error.splitlines() if line.startswith("kakera: ")] == error.splitlines()[-1:]
    assert not Path("labels.csv").exists()


def test_a_folder_that_cannot_be_written_is_refused_before_tokens_are_computed(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # as root, every folder can be written
    assert main(WORDS) == 2
    assert "got a place that cannot be written, expected a folder to write in" in capsys.readouterr().err
    assert not Path("cache").exists()


def test_a_plan_says_what_is_missing_and_writes_nothing(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*WORDS, "--plan"]) == 0
    said = "plan: label 24 pictures -> labels.csv; tokens of 0 in the cache, 24 to compute\n"
    assert capsys.readouterr().out == said
    assert not Path("labels.csv").exists()


def test_the_core_imports_neither_torch_nor_the_web() -> None:
    code = "import sys, kakera.commands.labelling.setup; print({'torch', 'fastapi', 'PIL'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "torch" not in done.stdout
    assert "fastapi" not in done.stdout


def test_the_next_batch_of_many_files_takes_less_than_a_second(tmp_path: Path) -> None:
    from kakera.commands.labelling.session import Labelling
    from kakera.commands.labelling.table import LabelTable

    random = np.random.default_rng(0)
    labels = np.arange(60_000) % 10
    tokens = random.normal(size=(60_000, 192)).astype(np.float32) + 3 * np.eye(192, dtype=np.float32)[labels]
    places = [(f"{row}.png", "", "") for row in range(len(tokens))]
    keys = [row.to_bytes(4, "little") for row in range(len(tokens))]
    own = Labelling(tokens, keys, LabelTable(tmp_path / "labels.csv", places))
    for _ in range(5):
        rows = [query.row for query in own.next_batch("ann")]
        for number in range(10):
            if chosen := [row for row in rows if labels[row] == number]:
                own.assign(chosen, str(number), "ann")
    began = time.process_time()
    own.next_batch("ann")
    assert time.process_time() - began < 1.0
