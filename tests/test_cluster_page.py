"""The commands of docs/cluster.md need machines that a test has not; their words are read all the same."""

import re
import shlex

import pytest

from kakera.cli import embed
from kakera.cli.arguments import Arguments
from kakera.training.options import PretrainOptions
from kakera.training.recipes import options_from
from tests.test_documents import ROOT


def test_every_command_for_a_cluster_has_options_that_exist(capsys: pytest.CaptureFixture[str]) -> None:
    page = (ROOT / "docs" / "cluster.md").read_text()
    blocks = re.findall(r"^```sh\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    commands = [line for line in lines if "kakera" in line]
    with pytest.raises(SystemExit):
        embed.run(["--help"])
    of_embed = {*re.findall(r"--[a-z-]+", capsys.readouterr().out)}
    verbs = list[str]()
    for line in commands:
        words = shlex.split(line)
        verb, *rest = words[words.index("kakera") + 1 :]
        verbs.append(verb)
        if verb == "embed":
            assert {word for word in rest if word.startswith("--")} <= of_embed
            continue
        parser = Arguments(verb, "")
        parser.add_recipe()
        parser.add_options(PretrainOptions)
        given = vars(parser.parse_args(rest))
        options_from(PretrainOptions, given.pop("recipe") or "paper", given)
    assert sorted(verbs) == ["embed"] + ["pretrain"] * 5
