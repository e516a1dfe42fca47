"""The commands of docs/cluster.md need machines that a test has not; their words are read all the same."""

import re
import shlex

from kakera.cli.arguments import Arguments
from kakera.training.options import PretrainOptions
from kakera.training.recipes import options_from
from tests.test_documents import ROOT


def test_every_command_for_a_cluster_has_options_that_exist() -> None:
    page = (ROOT / "docs" / "cluster.md").read_text()
    blocks = re.findall(r"^```sh\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    commands = [line for line in lines if "kakera" in line]
    assert len(commands) == 5
    for line in commands:
        words = shlex.split(line)
        verb, *rest = words[words.index("kakera") + 1 :]
        assert verb == "pretrain"
        parser = Arguments(verb, "")
        parser.add_recipe()
        parser.add_options(PretrainOptions)
        given = vars(parser.parse_args(rest))
        options_from(PretrainOptions, given.pop("recipe") or "paper", given)
