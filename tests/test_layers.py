"""The layers of pyproject.toml hold, and the check that says so can fail."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the contract of `folder`; in a process of its own, since imports are cached in one."""
    command = "from importlinter.cli import lint_imports_command as lint; lint()"
    return subprocess.run(
        [sys.executable, "-c", command, "--no-cache", "--no-logo"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def copied_tree(tmp_path):
    """A copy of the package that a test may break."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    shutil.copytree(
        ROOT / "wsss", tmp_path / "wsss", ignore=shutil.ignore_patterns("__pycache__", "*.pt")
    )
    return tmp_path


def test_imports_go_down_only():
    result = lint_imports(ROOT)
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("errors.py", "import wsss.cli"),  # from the bottom to the top
        ("noise.py", "def f():\n    import wsss.metrics"),  # sideways, inside a function
    ],
)
def test_a_planted_import_is_found(copied_tree, module, line):
    planted = copied_tree / "wsss" / module
    planted.write_text(f"{planted.read_text()}\n\n{line}\n")
    result = lint_imports(copied_tree)
    assert result.returncode == 1
    assert f"wsss.{module.removesuffix('.py')} ->" in result.stdout


def test_a_module_without_a_layer_is_found(copied_tree):
    (copied_tree / "wsss" / "utils.py").write_text('"""Odds and ends."""\n')
    result = lint_imports(copied_tree)
    assert result.returncode == 1
    assert "utils" in result.stdout
