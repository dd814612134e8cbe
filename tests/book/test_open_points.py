"""The page on open points: every argument it names exists, with the default it says."""

from __future__ import annotations

import ast
import inspect
import re
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import pytest

PAGE = Path(__file__).resolve().parents[2] / "book" / "open_points.md"
MODULES = [
    import_module(f"wsss.{name}")
    for name in (
        "cam", "crf", "data.labels", "data.voc", "data.voc_setup", "inference", "losses",
        "models", "noise", "profiles", "seeds", "stages", "training",
    )
]  # fmt: skip


def rows() -> list[list[str]]:
    """Point, default, other reading, evidence and confidence of each entry."""
    names = ("Default", "Other", "Evidence", "Confidence")
    entry = r"^(.+)\n: - " + r"\n  - ".join(rf"\*{name}:\* ((?:.|\n    )+)\." for name in names)
    return [list(found) for found in re.findall(entry, PAGE.read_text(), re.M)]


def code(cell: str) -> list[ast.expr]:
    """Everything between backticks."""
    return [ast.parse(text, mode="eval").body for text in re.findall("`([^`]+)`", cell)]


def named(name: str) -> Any:
    """What a module of ours calls so."""
    found = [vars(module)[name] for module in MODULES if name in vars(module)]
    assert found, f"{name} is nowhere"
    return found[0]


def arguments(cell: str) -> list[tuple[Any, str, Any]]:
    """Object, argument and value (`...` if the page gives none) of every call in a cell."""
    calls = [each for each in code(cell) if isinstance(each, ast.Call)]
    return [
        (named(ast.unparse(call.func)), str(each.arg), ast.literal_eval(each.value))
        for call in calls
        for each in call.keywords
    ]


def type_of(called: Any, argument: str) -> Any:
    if isinstance(called, type) and argument not in get_type_hints(called):
        called = called.__init__
    return get_type_hints(called)[argument]


@pytest.mark.parametrize("row", rows(), ids=lambda row: row[0])
def test_defaults_are_those_of_the_code(row: list[str]) -> None:
    for called, argument, value in arguments(row[1]):
        default = inspect.signature(called).parameters[argument].default
        assert value is ... or value == default, f"{called.__name__}({argument}={default!r})"


@pytest.mark.parametrize("row", rows(), ids=lambda row: row[0])
def test_other_readings_can_be_asked_for(row: list[str]) -> None:
    others = arguments(row[2])
    assert others
    for called, argument, value in others:
        default = inspect.signature(called).parameters[argument].default
        assert value is ... or value != default
        choices = type_of(called, argument)
        if argument == "name":
            assert value in named("NETWORKS")
        if value is not ... and get_origin(choices) is Literal:
            assert value in get_args(choices)
    for each in code(row[2]):
        if isinstance(each, ast.Subscript):
            assert ast.literal_eval(each.slice) in named(ast.unparse(each.value))


def test_every_point_says_how_sure_it_is() -> None:
    assert len(rows()) == PAGE.read_text().count("\n: - ") >= 8
    assert {row[4] for row in rows()} <= {
        "low",
        "low to medium",
        "medium",
        "medium to high",
        "high",
    }


def test_the_example_runs() -> None:
    (example,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), flags=re.DOTALL)
    scope: dict[str, Any] = {}
    exec(example, scope)
    assert scope["strict"].profile.seeds.rule("T").class_conflict == "unknown"
