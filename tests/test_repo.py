"""The files around the package agree with one another."""

import ast
import doctest
import importlib
import inspect
import re
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any, get_origin

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import wsss

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
LOCK = (ROOT / "requirements.lock").read_text().splitlines()
MODULES = sorted((ROOT / "wsss").rglob("*.py"))


def tracked_files() -> list[Path]:
    """Files of the repository, new ones included, ignored ones not."""
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    listed = subprocess.run(
        [git, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    paths = (ROOT / name for name in listed.stdout.split("\0") if name)
    return [path for path in paths if path.is_file()]


def requirements() -> list[Requirement]:
    """Every declared requirement, but for the libraries that the how-to page is about."""
    optional = PROJECT["optional-dependencies"]
    groups = [PROJECT["dependencies"], *(optional[name] for name in optional if name != "howto")]
    return [Requirement(line) for group in groups for line in group]


def test_lock_is_plain():
    assert [line for line in LOCK if not re.fullmatch(r"[\w.-]+==[\w.]+", line)] == []
    names = [canonicalize_name(line.partition("==")[0]) for line in LOCK]
    assert len(names) == len(set(names))
    assert canonicalize_name(PROJECT["name"]) not in names


@pytest.mark.parametrize("requirement", requirements(), ids=lambda r: r.name)
def test_lock_satisfies_pyproject(requirement):
    versions = {canonicalize_name(n): v for n, _, v in (line.partition("==") for line in LOCK)}
    version = versions.get(canonicalize_name(requirement.name))
    assert version is not None, f"{requirement.name} is not in requirements.lock"
    assert requirement.specifier.contains(version)


def test_every_import_of_the_package_is_declared():
    declared = {canonicalize_name(requirement.name) for requirement in requirements()}
    providers = packages_distributions()
    undeclared = set()
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names = [node.module]
            else:
                continue
            for top in {name.partition(".")[0] for name in names}:
                if top == "wsss" or top in sys.stdlib_module_names:
                    continue
                if not declared & {canonicalize_name(n) for n in providers.get(top, [])}:
                    undeclared.add(f"{path.relative_to(ROOT)}: {top}")
    assert undeclared == set()


def test_environment_defers_to_the_lock():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    python, pip, installed = environment["dependencies"]
    assert python == "python=3.11"
    assert pip == "pip"
    assert installed == {"pip": ["-r requirements.lock", "-e ."]}


def test_no_file_names_a_machine():
    """Neither a registry's host nor somebody's home folder."""
    forbidden = re.compile(rb"pythonhosted\.org|pypi\.org/simple|/(?:home|Users)/\w")
    suffixes = {".py", ".md", ".toml", ".yml", ".yaml", ".cff", ".lock", ".cfg", ".ipynb", ".csv"}
    texts = [p for p in tracked_files() if p.suffix in suffixes and p != Path(__file__)]
    assert [p for p in texts if forbidden.search(p.read_bytes())] == []


TARGETS = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)


def make(*arguments: str) -> subprocess.CompletedProcess[str]:
    program = shutil.which("make")
    if program is None:
        pytest.skip("no make")
    return subprocess.run(
        [program, *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )


def test_make_help_lists_every_target():
    assert set(TARGETS) == {"help", "book", "test", "test-all", "bench", "lint", "clean"}
    listed = re.findall(r"^ +make ([a-z-]+)", make("help").stdout, flags=re.MULTILINE)
    assert listed == TARGETS


def test_make_says_in_one_line_that_python_is_missing(tmp_path):
    shutil.copy(ROOT / "Makefile", tmp_path)
    for name in ("requirements.lock", "pyproject.toml"):
        (tmp_path / name).touch()
    result = make("-C", str(tmp_path), "test", "PYTHON=python-that-is-not-there")
    assert result.returncode != 0
    assert "make PYTHON=/path/to/python3.11" in result.stderr.splitlines()[0]
    assert not (tmp_path / ".venv").exists()


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md", ".ci/run"])
def test_documented_make_targets_exist(document):
    named = re.findall(r"(?:^|`)make ([a-z-]+)", (ROOT / document).read_text(), re.MULTILINE)
    assert named
    assert set(named) <= set(TARGETS)


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md"])
def test_links_to_files_resolve(document):
    text = (ROOT / document).read_text()
    links = re.findall(r"\]\(([^)#]+)\)|src=\"([^\"]+)\"", text)
    paths = [a or b for a, b in links if "://" not in (a or b)]
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_citation_prefers_the_paper():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["version"] == PROJECT["version"]
    paper = citation["preferred-citation"]
    assert paper["title"].startswith("Employing Multi-Estimations")
    assert [author["family-names"] for author in paper["authors"]] == ["Fan", "Zhang", "Tan"]
    assert paper["year"] == 2020


def test_changelog_has_an_unreleased_part():
    assert "\n## [Unreleased]\n" in (ROOT / "CHANGELOG.md").read_text()


def test_ci_runs_the_documented_commands():
    script = ROOT / ".ci" / "run"
    assert script.stat().st_mode & 0o111
    assert re.findall(r"^make (\w+)", script.read_text(), flags=re.MULTILINE) == ["lint", "test"]


def test_no_large_files():
    large = [p for p in tracked_files() if p.stat().st_size > 500_000]
    assert [p for p in large if p.parent != ROOT / "wsss" / "initial"] == []


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_module_opens_with_one_sentence(path):
    docstring = ast.get_docstring(ast.parse(path.read_text()))
    assert docstring, "no docstring"
    assert docstring.splitlines()[0].endswith(".")


def test_the_wheel_carries_the_records_that_the_command_reads():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    listed = settings["data-files"]
    carried = {path for patterns in listed.values() for p in patterns for path in ROOT.glob(p)}
    assert carried == set(ROOT.glob("results/*/*.csv"))
    for folder, patterns in listed.items():
        assert all(p.startswith(folder.removeprefix("share/wsss/")) for p in patterns)


def dotted(path: Path) -> str:
    """Name of a module, by its file."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def runs(value: Any) -> bool:
    return inspect.isclass(value) or inspect.isfunction(value)


def public_names() -> dict[str, Any]:
    """What packages export and what the reference lists, by dotted name."""
    pages = "".join(page.read_text() for page in sorted((ROOT / "book" / "api").glob("*.md")))
    listed = re.findall(r"automodule:: (\S+)\n +:members:([^\n]*)", pages)
    packages = [(dotted(path), "") for path in MODULES if path.name == "__init__.py"]
    found: dict[str, Any] = {}
    for name, members in [*packages, *listed]:
        module = importlib.import_module(name)
        own = [n for n, value in vars(module).items() if runs(value) and value.__module__ == name]
        exported = getattr(module, "__all__", own if (name, members) in listed else [])
        for each in members.replace(" ", "").split(",") if members else exported:
            value = getattr(module, each)
            if not each.startswith("_") and get_origin(value) is None:  # else a type, say a Literal
                found[f"{getattr(value, '__module__', name)}.{each}"] = value
    return found


def test_help_opens_with_every_name_of_the_package():
    assert set(re.findall(r"`(\w+)`", str(wsss.__doc__))) == set(wsss.__all__)


def test_every_public_name_has_a_doctest():
    """Functions and classes have one of their own; a constant is used by some example."""
    finder = doctest.DocTestFinder()
    modules = (dotted(path) for path in MODULES if path.name != "__main__.py")
    tests = [test for name in modules for test in finder.find(importlib.import_module(name))]
    used = set(re.findall(r"\w+", "".join(e.source for test in tests for e in test.examples)))
    names = public_names()
    assert len(names) > 180
    lacking = [
        name
        for name, value in names.items()
        if not (
            any(test.examples for test in finder.find(value, name))
            if runs(value)
            else name.rpartition(".")[2] in used
        )
    ]
    assert lacking == []
