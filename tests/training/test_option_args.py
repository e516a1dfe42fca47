"""The keyword arguments of public functions: the fields of the dataclasses, seen by a type checker."""

import ast
import inspect
import json
import subprocess
import sys
import types
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints

import pytest

from kakera.cli.arguments import help_texts
from kakera.commands.explaining.args import ExplainArgs
from kakera.commands.explaining.options import ExplainOptions
from kakera.study.study_args import DataSizeArgs, EncodersArgs, MaskRatioArgs
from kakera.study.study_options import DataSizeOptions, EncodersOptions, MaskRatioOptions
from kakera.training.option_args import DemoArgs, FinetuneArgs, PretrainArgs, ProbeArgs
from kakera.training.options import FinetuneOptions, PretrainOptions, ProbeOptions
from kakera.web.serve_args import ServeArgs
from kakera.web.serve_options import ServeOptions

NAMED = {"data", "out", "init_from"}  # parameters of the functions themselves
PAIRS = [
    (PretrainArgs, PretrainOptions),
    (FinetuneArgs, FinetuneOptions),
    (ProbeArgs, ProbeOptions),
    (MaskRatioArgs, MaskRatioOptions),
    (DataSizeArgs, DataSizeOptions),
    (EncodersArgs, EncodersOptions),
    (ExplainArgs, ExplainOptions),
    (ServeArgs, ServeOptions),
]


def widened(hint: Any) -> Any:
    """A tuple of numbers may be given as one of them, or as any sequence."""
    if get_origin(hint) is tuple:
        item = get_args(hint)[0]
        return Union[item, Sequence[item]]  # noqa: UP007  # a variable
    if get_origin(hint) in (Union, types.UnionType):
        return Union[tuple(widened(part) for part in get_args(hint))]  # noqa: UP007
    return hint


def texts(kind: Any) -> dict[str, str]:
    """The string under each field of a TypedDict and of those it is made from."""
    module = ast.parse(Path(inspect.getfile(kind)).read_text())
    (body,) = [node for node in module.body if isinstance(node, ast.ClassDef) and node.name == kind.__name__]
    found: dict[str, str] = {}
    for base in [base.id for base in body.bases if isinstance(base, ast.Name)]:
        if base != "TypedDict":
            found |= texts(getattr(sys.modules[kind.__module__], base))
    for field, text in zip(body.body, body.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(text, ast.Expr):
            assert isinstance(field.target, ast.Name)
            assert isinstance(text.value, ast.Constant)
            found[field.target.id] = " ".join(str(text.value.value).split())
    return found


@pytest.mark.parametrize(("args", "options"), PAIRS)
def test_arguments_are_the_fields_with_their_types_and_texts(args: Any, options: Any) -> None:
    hints = get_type_hints(options)
    names = {field.name for field in fields(options)} - NAMED
    assert get_type_hints(args) == {name: widened(hints[name]) for name in names}
    known = help_texts(options)
    assert texts(args) == {name: known[name] for name in names}


def test_the_demo_takes_what_both_trainings_take() -> None:
    both = get_type_hints(PretrainArgs).keys() & get_type_hints(FinetuneArgs).keys()
    assert get_type_hints(DemoArgs).keys() == both


CALLS = """\
import kakera
kakera.pretrain("d", out="o", epohcs=1)
kakera.pretrain("d", out="o", image_size="large")
kakera.finetune("d", out="o", start="m")
kakera.finetune("d", out="o", labels="all")
kakera.probe("d", init_from="m", pool="mean")
kakera.probe("d", init_from="m", probes="forest")
kakera.predict("m", "f", worker=1)
kakera.predict("m", "f", workers="some")
kakera.embed("m", "f", layers=1)
kakera.embed("m", "f", layer="last")
kakera.explain_files("m", "f", hide=0.5)
kakera.explain_files("m", "f", samples="3")
kakera.study_mask_ratio("d", out="o", ratios=0.5)
kakera.study_mask_ratio("d", out="o", seeds="3")
kakera.study_data_size("d", out="o", size="nano")
kakera.study_data_size("d", out="o", max_steps="9")
kakera.study_encoders("d", out="o", encoder="m")
kakera.study_encoders("d", out="o", labels="all")
kakera.serve(["m"], ports=1)
kakera.serve(["m"], port="1")
kakera.pack("d", "s", worker=1)
kakera.pack("d", "s", workers="some")
kakera.convert("m", "t", to="mae", size=8)
kakera.convert("m", "t", to="numpy")
kakera.convert_int8("m", "t", calibrate="d", size=8)
kakera.convert_int8("m", "t", calibrate="d", image_size="8")
kakera.load("m", size=8)
kakera.load("m", image_size="8")
kakera.demo("o", epohcs=1)
kakera.demo("o", epochs="1")
kakera.open_data("d", channel=1)
kakera.open_data("d", channels="grey")
"""
RIGHT = """\
import kakera
kakera.pretrain("d", out="o", epochs=1, image_size="auto", patch=4, value_range=(0, 1), workers=0)
kakera.finetune("d", out="o", init_from="m", patch=[8, 8], time="10m", grad_accum="auto")
kakera.probe("d", init_from="m", out="o", layers=(-1,), probes=["ridge", "linear"])
kakera.study_mask_ratio("d", out="o", mask_ratios=(0.5,), model="nano", patch="auto")
kakera.study_encoders("d", out="o", encoders=["m", "mae"], labels=(10, 100), pretrain_epochs=1)
kakera.explain_files("m", "f", out="o", patch_index=3)
kakera.demo("o", epochs=1, batch_size=8)
"""


def test_a_type_checker_sees_every_wrong_name_and_type(tmp_path: Path) -> None:
    pytest.importorskip("pyright")
    (tmp_path / "wrong.py").write_text(CALLS)
    (tmp_path / "right.py").write_text(RIGHT)
    source = Path(__file__).parents[2] / "src"
    config = {"extraPaths": [str(source)], "include": ["."], "venvPath": ".", "useLibraryCodeForTypes": True}
    (tmp_path / "pyrightconfig.json").write_text(json.dumps(config))
    words = [
        sys.executable,
        "-m",
        "pyright",
        "--outputjson",
        "--pythonpath",
        sys.executable,
        "-p",
        str(tmp_path),
    ]
    done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=tmp_path)
    found = [
        (Path(one["file"]).name, one["range"]["start"]["line"])
        for one in json.loads(done.stdout)["generalDiagnostics"]
        if one["severity"] == "error"
    ]
    assert sorted(set(found)) == [("wrong.py", line) for line in range(1, len(CALLS.splitlines()))]
    assert len(found) == len(set(found))
