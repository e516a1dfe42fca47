"""Names on the hub: no test asks the network."""

from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
import transformers as hf
from huggingface_hub.errors import LocalEntryNotFoundError, OfflineModeIsEnabled

from kakera.errors import RunError
from kakera.formats import hub
from kakera.formats.load import load
from tests.formats.foreign.test_transformers import SMALL, saved


@pytest.mark.parametrize(
    ("source", "is_name"),
    [("facebook/vit-mae-base", True), ("a/b/c", False), ("/a/b", False), ("alone", False), ("../a", False)],
)
def test_a_name_is_owner_and_model(source: str, is_name: bool) -> None:
    assert hub.is_name(source) == is_name


def test_a_folder_that_is_there_is_no_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "runs" / "mae").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert not hub.is_name("runs/mae")


def test_what_the_hub_gives_is_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, asked = saved(hf.ViTModel(hf.ViTConfig(**SMALL)), tmp_path), dict[str, Any]()

    def give(name: str, **options: Any) -> str:
        asked.update(options, name=name)
        return str(folder)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", give)
    assert load("someone/something", revision="v2", token="secret").inputs.size == (8, 12)
    assert (asked["name"], asked["revision"], asked["token"]) == ("someone/something", "v2", "secret")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (LocalEntryNotFoundError("long\nstory"), "cannot be reached"),
        (OfflineModeIsEnabled("long\nstory"), "offline mode is on"),
        (OSError("no route\nto host"), "OSError no route"),
    ],
    ids=["no network", "offline", "system"],
)
def test_a_hub_out_of_reach_is_one_line(error: Exception, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(name: str, **options: Any) -> str:
        raise error

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fail)
    with pytest.raises(RunError) as caught:
        load("someone/something")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_mistyped_run_is_said_to_be_neither_here_nor_there_and_what_was_meant(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(name: str, **options: Any) -> str:
        raise LocalEntryNotFoundError("long story")

    (tmp_path / "runs" / "classifier").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", fail)
    with pytest.raises(RunError) as caught:
        load("runs/clasifier")
    assert "no such file or folder, and from the hub nothing: the hub cannot be reached" in str(caught.value)
    assert "did you mean runs/classifier?" in str(caught.value)
    with pytest.raises(RunError, match=r"no such file or folder.*did you mean .*classifier\?"):
        load(tmp_path / "runs" / "clasifier")


@pytest.mark.parametrize(
    ("there", "asked"),
    [
        (["model.safetensors"], 1),
        (["model.safetensors.index.json", "model-00001-of-00002.safetensors"], 2),
        (["pytorch_model.bin"], 3),
        (["pytorch_model.bin.index.json", "pytorch_model-00001-of-00002.bin"], 4),
    ],
)
def test_weights_are_asked_for_from_the_best_kind_to_the_last(
    there: list[str], asked: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a folder that has them twice only one is downloaded, and all parts of one that is divided."""
    on_the_hub = ["config.json", *there, *(["pytorch_model.bin"] if asked == 1 else [])]
    calls = list[list[str]]()

    def give(name: str, *, allow_patterns: list[str], **_: Any) -> str:
        calls.append(allow_patterns)
        for each in on_the_hub:
            if any(fnmatch(each, pattern) for pattern in allow_patterns):
                (tmp_path / each).touch()
        return str(tmp_path)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", give)
    hub.fetch("someone/something")
    assert len(calls) == asked
    assert {path.name for path in tmp_path.iterdir()} == {"config.json", *there}
