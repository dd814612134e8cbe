"""The workflow files run what the Makefile has, and put onto the web what it builds."""

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
FILES = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def jobs(path: Path) -> dict:
    return yaml.safe_load(path.read_text())["jobs"]


def test_there_is_one_for_tests_and_one_for_the_book():
    assert [path.name for path in FILES] == ["book.yml", "tests.yml"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_commands_exist_and_actions_have_a_version(path):
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    for job in jobs(path).values():
        assert job["timeout-minutes"] > 0
        for step in job["steps"]:
            assert ("run" in step) != ("uses" in step)
            if "uses" in step:
                assert re.fullmatch(r"actions/[a-z-]+@v\d+", step["uses"])
            else:
                program, *arguments = step["run"].split()
                assert set(arguments) <= set(targets)
                assert program == "make" or (ROOT / program).stat().st_mode & 0o111


def test_what_is_published_is_what_make_book_builds():
    (job,) = jobs(ROOT / ".github" / "workflows" / "book.yml").values()
    (folder,) = [step["with"]["path"] for step in job["steps"] if "upload" in step.get("uses", "")]
    assert f"file://$(CURDIR)/{folder}/index.html" in (ROOT / "Makefile").read_text()
