"""The runner of the notebooks, the notebooks themselves, and the site made of them."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import nbformat
import pandas as pd
import pytest
import yaml
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from wsss import Lab
from wsss.book import keys
from wsss.book import runner as book
from wsss.book.kernels import own_kernel
from wsss.book.runner import _compute
from wsss.errors import InputError
from wsss.paper import TABLES
from wsss.stages import keep_scores

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
KERNEL = {"name": "python3", "display_name": "Python 3", "language": "python"}


def write_notebook(path: Path, *sources: str, parameters: str = 'profile = "demo"\nk = 2') -> Path:
    first = new_code_cell(parameters, metadata={"tags": ["parameters"]})
    cells = [new_markdown_cell(f"# {path.stem}"), first, *map(new_code_cell, sources)]
    metadata = {"kernelspec": KERNEL, "language_info": {"name": "python"}}
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(new_notebook(cells=cells, metadata=metadata), path)
    return path


@pytest.fixture
def clone(tmp_path, monkeypatch) -> Path:
    """A folder that looks like a clone of the repository without its notebooks."""
    monkeypatch.delenv("WSSS_RUNS", raising=False)
    monkeypatch.delenv("WSSS_DATA", raising=False)
    # These notebooks read no tables.
    monkeypatch.setattr("wsss.book.runner._compute", lambda *_: "")
    (tmp_path / "requirements.lock").write_text("numpy==2.0\n")
    return tmp_path


# The runner ---------------------------------------------------------------------------------


def test_a_notebook_is_run_once_published_and_known_by_its_origin(clone, capsys):
    source = write_notebook(
        clone / "notebooks" / "01_one.ipynb",
        "import sys\nfrom pathlib import Path\nprint('progress', file=sys.stderr)",
        "print(profile, k, Path.cwd())",
    )
    untouched = source.read_bytes()
    orphan = write_notebook(clone / "book" / "notebooks" / "00_gone.ipynb")

    assert book.reproduce(clone, parameters={"k": 5})
    assert "progress" in (clone / "runs" / "notebooks" / "demo" / "01_one.log").read_text()
    assert source.read_bytes() == untouched
    assert not orphan.exists()

    page = clone / "book" / "notebooks" / "01_one.ipynb"
    cells = json.loads(page.read_text())["cells"]
    printed = "".join(cells[-1]["outputs"][0]["text"])
    assert printed == f"demo 5 {clone.resolve()}\n"
    hidden = [cell["metadata"]["tags"] for cell in cells if cell["metadata"]["tags"]]
    parameters = [["parameters", "remove-cell"], ["injected-parameters", "remove-cell"]]
    assert hidden == [*parameters, ["hide-input"], ["hide-input"]]
    origin = json.loads(page.read_text())["metadata"]["wsss"]
    assert origin["profile"] == "demo"
    assert origin["parameters"] == {"k": 5}
    assert {"commit", "seconds", "started", "device", "packages"} <= origin.keys()

    # Profile and parameters are remembered, so a bare call finds nothing to do.
    before = page.stat().st_mtime_ns
    assert book.reproduce(clone)
    assert "1 unchanged" in capsys.readouterr().err
    assert page.stat().st_mtime_ns == before


def test_a_failing_notebook_is_reported_and_the_others_are_run(clone, capsys):
    write_notebook(clone / "notebooks" / "01_bad.ipynb", "x = 1", "assert x == 2, 'x is\\nodd'")
    write_notebook(clone / "notebooks" / "02_good.ipynb", "x = 1")
    assert not book.reproduce(clone)
    line = next(x for x in capsys.readouterr().err.splitlines() if x.startswith("FAILED"))
    assert re.fullmatch(
        r"FAILED 01_bad\.ipynb AssertionError: x is \(cell 4\) after \d+ s; "
        r"see runs/notebooks/demo/01_bad\.err\.txt",
        line,
    )
    folder = clone / "runs" / "notebooks" / "demo"
    report = (folder / "01_bad.err.txt").read_text()
    assert "assert x == 2" in report
    assert "\x1b" not in report
    assert (folder / "01_bad.partial.ipynb").exists()
    pages = sorted(p.name for p in (clone / "book" / "notebooks").iterdir())
    assert pages == ["02_good.ipynb", "gallery.md", "status.md"]


def test_a_page_whose_kernel_dies_keeps_what_it_said(clone, capsys):
    dies = "import os; os.kill(os.getpid(), 9)"
    write_notebook(clone / "notebooks" / "01_dies.ipynb", "print('so far')", dies)
    write_notebook(clone / "notebooks" / "02_good.ipynb", "x = 1")
    assert not book.reproduce(clone, jobs=1)
    assert "FAILED 01_dies.ipynb Kernel died" in capsys.readouterr().err
    report = (clone / "runs" / "notebooks" / "demo" / "01_dies.err.txt").read_text()
    assert "so far" in report
    assert (clone / "book" / "notebooks" / "02_good.ipynb").is_file()


def test_a_damaged_page_whose_notebook_fails_does_not_stop_the_others(clone, monkeypatch):
    source = write_notebook(clone / "notebooks" / "01_bad.ipynb")
    page = clone / "book" / "notebooks" / source.name
    page.parent.mkdir(parents=True)
    page.write_bytes(b"\xff")
    monkeypatch.setattr("wsss.book.runner._run", lambda n, *_: book.Page(n, "failed", "of itself"))
    assert not book.reproduce(clone)
    assert "of itself" in (page.parent / "status.md").read_text()


def test_a_misspelt_parameter_is_refused(clone):
    source = write_notebook(clone / "notebooks" / "01_one.ipynb")
    with pytest.raises(InputError, match="no parameter 'kk'; its parameters are: profile, k"):
        book.reproduce(clone, parameters={"kk": 5})
    write_notebook(source, parameters='profil = "demo"')
    with pytest.raises(InputError, match="no parameter 'profile'; its parameters are: profil"):
        book.reproduce(clone)
    assert not (clone / "book").exists()


@pytest.mark.parametrize("content", ["", "[]", '{"cells": []}', "\x00"])
def test_what_is_not_a_notebook_is_refused(clone, content):
    write_notebook(clone / "notebooks" / "01_one.ipynb").write_text(content)
    with pytest.raises(InputError, match=r"01_one\.ipynb is not a notebook"):
        book.reproduce(clone)


def test_impossible_requests_are_refused(clone):
    with pytest.raises(InputError, match="no notebooks in"):
        book.reproduce(clone)
    write_notebook(clone / "notebooks" / "01_one.ipynb")
    with pytest.raises(InputError, match="cannot be the name of a profile"):
        book.reproduce(clone, profile="../demo")
    with pytest.raises(InputError, match="jobs is 0"):
        book.reproduce(clone, jobs=0)
    with pytest.raises(InputError, match="no data folder at"):
        keys.folder_fingerprint(clone / "nowhere")


def test_the_key_follows_what_a_page_shows_and_nothing_else(tmp_path):
    source = write_notebook(tmp_path / "n.ipynb", "x = 1")
    key = keys.notebook_key(source, {"k": 1}, ("c", "d"))
    assert key == keys.notebook_key(source, {"k": 1}, ("c", "d"))
    assert key != keys.notebook_key(source, {"k": 2}, ("c", "d"))
    assert key != keys.notebook_key(source, {"k": 1}, ("c", "x"))
    content = json.loads(source.read_text())
    content["cells"][-1] |= {"execution_count": 7, "outputs": [{"output_type": "stream"}]}
    source.write_text(json.dumps(content))
    assert key == keys.notebook_key(source, {"k": 1}, ("c", "d"))
    write_notebook(source, "x = 2")
    assert key != keys.notebook_key(source, {"k": 1}, ("c", "d"))


def test_words_about_the_code_make_no_page_stale(tmp_path):
    package = tmp_path / "package"
    package.mkdir()
    code = package / "loss.py"
    code.write_text('"""Losses."""\n\n\ndef loss(x):\n    """Double it."""\n    return 2 * x\n')
    before = keys.code_hash(tmp_path, package)
    code.write_text(
        '"""The losses."""\n\ndef loss(x):\n    """Twice."""\n    # so\n    return 2 * x\n'
    )
    assert before == keys.code_hash(tmp_path, package)
    code.write_text("def loss(x):\n    return 3 * x\n")
    assert before != keys.code_hash(tmp_path, package)
    (package / "costs.csv").write_text("seconds\n")
    assert before != keys.code_hash(tmp_path, package)


def test_a_kernel_of_another_environment_is_not_taken(clone, tmp_path_factory, monkeypatch):
    other = tmp_path_factory.mktemp("other")
    spec = other / "kernels" / "python3" / "kernel.json"
    spec.parent.mkdir(parents=True)
    spec.write_text(json.dumps({"argv": ["/nowhere/python"], "display_name": "x"}))
    monkeypatch.setenv("JUPYTER_PATH", str(other))
    write_notebook(clone / "notebooks" / "01_one.ipynb", "import sys\nprint(sys.executable)")
    assert book.reproduce(clone)
    page = json.loads((clone / "book" / "notebooks" / "01_one.ipynb").read_text())
    assert "".join(page["cells"][-1]["outputs"][0]["text"]).strip() == sys.executable
    with own_kernel():
        pass
    assert os.environ["JUPYTER_PATH"] == str(other)


def test_pages_run_side_by_side(clone):
    waits = "import pathlib, time\npathlib.Path(name := 'NAME').touch()\n"
    waits += "while not pathlib.Path('OTHER').exists(): time.sleep(0.1)"
    for name, other in (("a", "b"), ("b", "a")):  # each ends only if the other has begun
        source = waits.replace("NAME", name).replace("OTHER", other)
        write_notebook(clone / "notebooks" / f"{name}.ipynb", source)
    assert book.reproduce(clone, jobs=2)


def test_the_code_hash_follows_the_lock_and_recorded_results(clone):
    before = keys.code_hash(clone)
    assert before == keys.code_hash(clone)
    (clone / "requirements.lock").write_text("numpy==2.1\n")
    after = keys.code_hash(clone)
    assert before != after
    (clone / "results" / "photo").mkdir(parents=True)
    (clone / "results" / "photo" / "table2.csv").write_text("miou\n")
    assert after != keys.code_hash(clone)


def test_the_fingerprint_follows_names_and_sizes(tmp_path):
    (tmp_path / "a").write_text("1")
    before = keys.folder_fingerprint(tmp_path)
    assert before == keys.folder_fingerprint(tmp_path)
    (tmp_path / "a").write_text("12")
    after = keys.folder_fingerprint(tmp_path)
    assert before != after
    (tmp_path / "a").rename(tmp_path / "b")
    assert keys.folder_fingerprint(tmp_path) != after


@pytest.mark.parametrize(("everything", "again"), [(False, [4]), (True, [4, 5])])
def test_of_scenes_the_first_random_seed_is_computed_in_any_case(monkeypatch, everything, again):
    asked = []
    monkeypatch.setattr(Lab, "everything", lambda lab: asked.append((lab.compute, lab.rng_seeds)))
    _compute("smoke", None, Path("nowhere"), [4, 5], everything)
    assert asked == [("missing", (4, 5)), ("all", tuple(again))]


def test_what_is_recorded_is_not_computed_for_the_book(tmp_path, monkeypatch):
    """The page of the claims still needs its traces, which are not recorded here."""
    lab, goals = Lab("smoke", rng_seeds=[4], runs=tmp_path), []
    lines = [
        {
            "table": each.table.name, "row": each.cell.row, "column": each.cell.column,
            "testing": each.testing, "rng_seed": 4, "miou": 50.0, "images": "x",
            "identity": each.stage.identity,
        }
        for each in lab.asked(*TABLES, "claim13")
    ]  # fmt: skip
    monkeypatch.setattr("wsss.pipeline.run", lambda stages, *_, **__: goals.extend(stages))

    def missing(kept) -> set[str]:
        keep_scores(pd.DataFrame(kept), tmp_path / str(len(kept)))
        goals.clear()
        results = tmp_path / str(len(kept))
        Lab("smoke", rng_seeds=[4], runs=tmp_path, results=results).everything()
        return {stage.name for stage in goals}

    assert missing(lines) == {"weight_trace"}
    assert missing(lines[5:]) == {"weight_trace", "segmenter_score"}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of click, which Jupyter Book asks
def test_exit_status_and_parameters_of_the_command(monkeypatch, capsys):
    calls = []

    def reproduce(**arguments):
        calls.append(arguments)
        if arguments["profile"] == "none":
            raise InputError("no such thing")
        return arguments["profile"] == "demo"

    monkeypatch.setattr("wsss.book.runner.reproduce", reproduce)
    command = ["--profile", "demo", "-p", "rng_seeds", "[0, 1]", "-p", "name", "x", "--jobs", "2"]
    assert book.main(command) == 0
    given = {"rng_seeds": [0, 1], "name": "x"}
    assert calls[:1] == [{"profile": "demo", "parameters": given, "jobs": 2, "everything": False}]
    built = []
    monkeypatch.setattr("jupyter_book.cli.main.main", built.append)
    assert book.main(["--profile", "demo", "--html"]) == 0
    assert built == [["build", "-q", str(ROOT / "book")]]
    assert book.main(["--profile", "photo", "--html"]) == 1
    assert len(built) == 1
    assert book.main(["--profile", "none"]) == 2
    assert capsys.readouterr().err == "building the pages\nerror: no such thing\n"


def test_a_check_that_finds_nothing_to_do_imports_nothing_heavy():
    script = (
        "import sys, wsss.book.runner; print({'torch', 'papermill', 'nbformat'} & set(sys.modules))"
    )
    command = [sys.executable, "-c", script]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert result.stdout == "set()\n"


# The notebooks ------------------------------------------------------------------------------


def test_the_table_of_contents_lists_every_notebook():
    toc = yaml.safe_load((ROOT / "book" / "_toc.yml").read_text())
    listed = [chapter["file"] for part in toc["parts"] for chapter in part["chapters"]]
    pages = {name.removeprefix("notebooks/") for name in listed if name.startswith("notebooks/")}
    assert pages == {*(notebook.stem for notebook in NOTEBOOKS), "gallery", "status"}


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_is_a_source(notebook):
    content = json.loads(notebook.read_text())
    assert content["metadata"]["kernelspec"]["name"] == "python3"
    assert content["metadata"]["language_info"]["name"] == "python"  # else it turns into .txt
    parameters = 0
    for cell in content["cells"]:
        tags = cell["metadata"].get("tags", [])
        parameters += "parameters" in tags
        if cell["cell_type"] != "code":
            continue
        source = "".join(cell["source"])
        # nbval lets a checked cell without outputs pass, whatever it prints.
        checked = "nbval-check-output" in tags
        assert bool(cell["outputs"]) == checked, source
        assert (cell["execution_count"] is not None) == checked, source
        defined = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
        assert not any(isinstance(node, defined) for node in ast.walk(ast.parse(source))), source
    assert parameters == 1


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_takes_the_parameters_of_all_and_says_where_it_is_from(notebook):
    """The book gives all of them the same parameters, and refuses one that lacks any."""
    sources = ["".join(c["source"]) for c in json.loads(notebook.read_text())["cells"]]
    names = [ast.unparse(t) for n in ast.parse(sources[1]).body[1:] for t in n.targets]
    assert names == ["profile", "data", "rng_seeds"]
    assert any("lab.provenance(" in source or "recorded_line(" in source for source in sources)


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_opens_with_its_answer_and_describes_its_pictures(notebook):
    cells = json.loads(notebook.read_text())["cells"]
    tags = [cell["metadata"].get("tags", []) for cell in cells]
    answers = [n for n, each in enumerate(tags) if "answer" in each]
    assert answers[0] == 2, "after the title and the parameters"
    answer = "".join(cells[2]["source"]).rpartition("\n")[2]
    assert re.match(r"(lab|sharpness)\.answer\(|\)$", answer)
    assert len("".join(cells[0]["source"]).splitlines()) <= 3
    for cell in cells:
        source = "".join(cell["source"])
        if cell["cell_type"] == "code" and re.search(r"\bfigure|\.forest\(", source):
            assert cell["metadata"]["mystnb"]["image"]["alt"].endswith("."), source


# The site -----------------------------------------------------------------------------------


class Links(HTMLParser):
    """Collects what a page loads and where it points."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.anchors: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if value and name == "href" and tag == "a":
                self.anchors.append(value)
            elif value and name in ("src", "href", "data", "poster") and tag != "base":
                self.loaded.append(value)


def is_outside(link: str) -> bool:
    return bool(urlsplit(link).netloc)


def problems_of_site(site: Path) -> list[str]:
    """What a page loads from a network, and links inside the site that lead nowhere."""
    problems = []
    for page in sorted(site.rglob("*.html")):
        if "_static" in page.relative_to(site).parts:
            continue
        links = Links(page.read_text())
        name = page.relative_to(site).as_posix()
        problems += [f"{name} loads {link}" for link in links.loaded if is_outside(link)]
        for link in links.loaded + links.anchors:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc or not parts.path:
                continue
            if not (page.parent / unquote(parts.path)).exists():
                problems.append(f"{name} points to {link}, which is not there")
    return problems


def test_problems_of_a_site_are_found(tmp_path):
    (tmp_path / "good.html").write_text('<a href="https://example.org">x</a><img src="good.html">')
    assert problems_of_site(tmp_path) == []
    (tmp_path / "bad.html").write_text(
        '<script src="https://cdn.example.org/x.js"></script><link href="//fonts.example.org/f">'
        '<a href="gone.html#here">x</a><img src="data:image/png;base64,AA=="/>'
    )
    assert problems_of_site(tmp_path) == [
        "bad.html loads https://cdn.example.org/x.js",
        "bad.html loads //fonts.example.org/f",
        "bad.html points to gone.html#here, which is not there",
    ]


def test_the_built_site_needs_no_network():
    site = ROOT / "_build" / "html"
    if not (site / "index.html").exists():
        pytest.skip("the book is not built; `make book` builds it")
    assert problems_of_site(site) == []


@pytest.mark.slow
def test_the_prose_builds_without_warnings_and_a_failing_notebook_fails_the_build(clone):
    shutil.copy(ROOT / "_config.yml", clone)
    shutil.copytree(ROOT / "book", clone / "book", ignore=shutil.ignore_patterns("notebooks"))
    for included in ("README.md", "wsss", "benchmarks"):
        (clone / included).symlink_to(ROOT / included)
    for notebook in NOTEBOOKS:
        write_notebook(clone / "notebooks" / notebook.name, "print(profile)")
    # Pages tell by which profile the next ones are made: the demo would take minutes.
    assert book.reproduce(clone, profile="smoke")
    build = [str(Path(sys.executable).parent / "jupyter-book"), "build", "book"]

    built = subprocess.run(build, cwd=clone, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stdout + built.stderr
    site = clone / "_build" / "html"
    assert problems_of_site(site) == []
    assert all((site / "notebooks" / f"{notebook.stem}.html").exists() for notebook in NOTEBOOKS)

    shutil.rmtree(clone / "_build")
    write_notebook(clone / "notebooks" / NOTEBOOKS[0].name, "1 / 0")
    built = subprocess.run(build, cwd=clone, capture_output=True, text=True, check=False)
    assert built.returncode == 1
    assert f"FAILED {NOTEBOOKS[0].name} ZeroDivisionError" in built.stderr
    assert (site / "method.html").exists()
