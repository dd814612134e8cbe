"""Whatever fault a user meets, the command ends in one line with its path, and status 2."""

import signal

import pytest
from PIL import Image

import wsss.cli


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    for name in ("cat", "dog"):
        (folder / name).mkdir(parents=True)
        for k in range(3):
            Image.new("RGB", (20, 16), (k, 9, 9)).save(folder / name / f"{k}.jpg")
    return folder


def no_folder(tmp_path, photos):
    return ["data", "check", "--data", str(tmp_path / "absent")], tmp_path / "absent"


def no_layout(tmp_path, photos):
    return ["data", "check", "--data", str(photos)], photos


def no_devkit(tmp_path, photos):
    return ["data", "voc", "--devkit", str(photos), "--out", str(tmp_path / "o")], photos


def no_profile(tmp_path, photos):
    return ["reproduce", "table2", "--profile", str(tmp_path / "x.py")], tmp_path / "x.py"


def file_for_a_run_folder(tmp_path, photos):
    runs = tmp_path / "runs"
    runs.write_text("")
    arguments = ["reproduce", "table5", "--profile", "smoke", "--compute", "all"]
    return [*arguments, "--runs", str(runs)], runs


def damaged_photo(tmp_path, photos):
    (photos / "cat" / "1.jpg").write_bytes(b"\xff\xd8\xff")
    return ["train", str(photos), "--out", str(tmp_path / "o")], photos / "cat" / "1.jpg"


def deep_photo(tmp_path, photos):
    Image.new("I;16", (20, 16)).save(photos / "cat" / "3.png")
    return ["train", str(photos), "--out", str(tmp_path / "o")], photos / "cat" / "3.png"


def bomb(tmp_path, photos):
    Image.new("1", (39_677, 26_564)).save(photos / "cat" / "3.png")
    return ["train", str(photos), "--out", str(tmp_path / "o")], photos / "cat" / "3.png"


def no_table(tmp_path, photos):
    absent = tmp_path / "l.csv"
    return ["train", str(photos), "--labels", str(absent), "--out", str(tmp_path / "o")], absent


def strange_encoding(tmp_path, photos):
    labels = tmp_path / "xml"
    labels.mkdir()
    for k in range(3):
        (labels / f"{k}.xml").write_text('<?xml version="1.0" encoding="klingon"?><annotation/>')
    return ["train", str(photos), "--labels", str(labels), "--out", str(tmp_path / "o")], labels


def no_model(tmp_path, photos):
    return ["predict", str(tmp_path / "m"), str(photos), "--masks-to", str(tmp_path / "o")], (
        tmp_path / "m"
    )


def no_masks(tmp_path, photos):
    absent = tmp_path / "masks"
    return ["evaluate", str(absent), str(tmp_path / "truth"), "--model", str(absent)], absent


FAULTS = [
    no_folder, no_layout, no_devkit, no_profile, file_for_a_run_folder, damaged_photo, deep_photo,
    bomb, no_table, strange_encoding, no_model, no_masks,
]  # fmt: skip


@pytest.fixture
def told(monkeypatch, capsys, tmp_path):
    """Run the command in this process: what it printed to stderr, and how it ended."""
    monkeypatch.chdir(tmp_path)
    before = signal.getsignal(signal.SIGINT)
    monkeypatch.setenv("WSSS_DEBUG", "0")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("PYTHONWARNINGS", "")

    def run(arguments):
        monkeypatch.setattr("sys.argv", ["wsss", *arguments])
        with pytest.raises(SystemExit) as ended:
            wsss.cli.main()
        return ended.value.code, capsys.readouterr().err

    yield run
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_one_line_status_2_and_the_path(fault, told, tmp_path, photos):
    arguments, path = fault(tmp_path, photos)
    code, err = told(arguments)
    assert code == 2
    lines = [line for line in err.splitlines() if not line.startswith("stages:")]  # progress
    (line,) = [line for line in lines if line.strip()]
    assert line.startswith("error: ")
    assert str(path) in line


def test_debug_shows_where_it_came_from(told, monkeypatch, tmp_path):
    monkeypatch.setattr(
        "sys.argv", ["wsss", "--debug", "data", "check", "--data", str(tmp_path / "absent")]
    )
    with pytest.raises(wsss.errors.InputError):
        wsss.cli.main()
