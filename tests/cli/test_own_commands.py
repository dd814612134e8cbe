"""``wsss train``, ``predict`` and ``evaluate`` on a handful of drawn photos."""

import json
import re
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from wsss import load_segmenter
from wsss.cli import app
from wsss.cli.own import _tell_left
from wsss.data.own_files import mark
from wsss.data.scenes import write_scenes
from wsss.data.voc import VocFolder
from wsss.errors import InputError
from wsss.inference import Protocol, infer_logits
from wsss.models import get_model
from wsss.pipeline import Pipeline
from wsss.portable import save_segmenter
from wsss.profiles import own
from wsss.stages import GivenSeeds


def wsss(*arguments):
    done = CliRunner().invoke(app, list(map(str, arguments)), catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


PAGE = Path(__file__).parents[2] / "book" / "own_pictures.md"


@pytest.mark.slow
def test_the_page_on_own_pictures_runs_as_written(tmp_path, monkeypatch):
    scenes = write_scenes(tmp_path / "scenes", train=12, val=2, pilot=2, rng_seed=0)
    (scenes / "JPEGImages").rename(tmp_path / "photos")
    (scenes / "SegmentationClass").rename(tmp_path / "masks")
    (scenes / "labels.csv").rename(tmp_path / "labels.csv")
    monkeypatch.chdir(tmp_path)
    printed = []
    for line in re.findall(r"^\$ wsss (.*)$", PAGE.read_text(), re.M):
        few = ["--steps", "1", "--workers", "1"] if line.startswith(("train", "seeds")) else []
        printed.append(wsss(*line.split(), *few))
    for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.S):
        exec(block, names := {})
        assert len(names["saved"].classes) == 5
    assert "14 photos, 11 to learn from and 3 held out with 3 masks; 5 classes: " in printed[0]
    report = Path("out", "report.html").read_text()
    assert report.count("data:image/png;base64,") == 4
    assert "All seeds against the better single one, " in report
    assert 'src="http' not in report
    assert len(list(Path("out", "seeds").glob("*/*.png"))) == 12 * 11
    assert len(list(Path("out", "masks").glob("*.png"))) == 14
    assert "mIoU " in printed[2]
    assert Path("model.onnx").is_file()

    Path("out", "model").rename("moved")
    wsss("predict", "moved", "photos", "--masks-to", "again")
    for path in Path("out", "masks").glob("*.png"):
        again = np.array(Image.open(Path("again", path.name)))
        assert np.array_equal(np.array(Image.open(path)), again)


@pytest.mark.slow
def test_seeds_go_out_as_dictionaries_and_come_back(tmp_path):
    photos = write_scenes(tmp_path / "scenes", train=6, val=1, pilot=1, rng_seed=0)
    labels = VocFolder(photos).root / "labels.csv"
    few = ("--steps", 1, "--workers", 1, "--labels", labels)
    one = ("--types", "C", "--scales", "single", "--networks", "plain")
    out, out2 = tmp_path / "out", tmp_path / "out2"
    printed = wsss("seeds", photos / "JPEGImages", "--out", out, *few, *one, "--format", "irn")
    (folder,) = (each for each in (out / "seeds").iterdir() if each.is_dir())
    assert str(folder) in printed
    assert folder.name == "squeezenet_1.1_crf_scale_1"
    wsss("seeds", photos / "JPEGImages", "--out", out, *few, *one)  # index maps beside them
    assert len(list(folder.glob("*.npy"))) == len(list(folder.glob("*.png"))) == 7

    for name in (each.stem for each in folder.glob("*.png")):  # only the dictionaries are given
        (tmp_path / f"{name}.png").write_bytes((folder / f"{name}.png").read_bytes())
        (folder / f"{name}.png").unlink()
    left = [out2 / "seeds" / "old" / "a.png", out2 / "masks" / "a.png"]
    for path in left:
        mark(out2 / path.relative_to(out2).parts[0], by="--out")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    printed = wsss("train", photos / "JPEGImages", "--out", out2, *few, "--extra-seeds", folder)
    assert all(
        f"note: {path}: left by an earlier run; delete what is old" in printed for path in left
    )
    assert f"seeds of {folder.name} for 6 of 6 photos to learn from" in printed
    lab = Pipeline(own(1, 6), out2 / "data", runs=out2 / "runs")
    given = GivenSeeds.of(lab.train_images, out2 / "data", folder.name)
    assert lab.store.done(given)
    maps = given.label_maps(lab.store)
    for index, name in enumerate(lab.train_images.load(lab.store).ids):
        assert np.array_equal(maps[index], np.array(Image.open(tmp_path / f"{name}.png")))


def test_odd_requests_are_one_line(tmp_path):
    with pytest.raises(InputError, match=r"--val 1\.5: give a share between 0 and 1"):
        wsss("train", tmp_path, "--out", tmp_path / "out", "--val", "1.5")
    with pytest.raises(InputError, match="--types X: give T, C or TC"):
        wsss("seeds", tmp_path, "--out", tmp_path / "out", "--types", "X")


def test_predict_with_probabilities_and_crf(tmp_path, rng):
    network = get_model("squeezenet1_1", head="largefov", num_classes=3).eval()
    save_segmenter(network, "squeezenet1_1", ["owl", "rail"], 40, tmp_path / "model")
    photos = tmp_path / "photos"
    photos.mkdir()
    pixels = rng.integers(0, 256, (60, 80, 3)).astype(np.uint8)
    Image.fromarray(pixels).save(photos / "über 1.png")
    told = wsss(
        "predict", tmp_path, photos, "--masks-to", tmp_path / "m", "--probabilities", "--crf"
    )
    assert "1 masks in" in told
    assert "1 owl, 2 rail" in told
    found = np.load(tmp_path / "m" / "über 1.npy")
    assert found.shape == (3, 60, 80)
    assert np.allclose(found.astype(np.float32).sum(0), 1, atol=2e-3)
    assert np.array(Image.open(tmp_path / "m" / "über 1.png")).shape == (60, 80)
    told = wsss("evaluate", tmp_path / "m", tmp_path / "m", "--model", tmp_path)
    titles = [line.partition(":")[0] for line in told.splitlines()[:3]]
    assert titles == ["background", "owl", "rail"]
    assert "of 3 labels" in told


def test_a_broken_photo_costs_the_others_no_mask(tmp_path, rng):
    network = get_model("squeezenet1_1", head="largefov", num_classes=2).eval()
    save_segmenter(network, "squeezenet1_1", ["owl"], 40, tmp_path / "model")
    photos, masks = tmp_path / "photos", tmp_path / "m"
    photos.mkdir()
    for name in ("a.png", "c.png"):
        Image.fromarray(rng.integers(0, 256, (20, 30, 3)).astype(np.uint8)).save(photos / name)
    (photos / "b.png").write_bytes((photos / "a.png").read_bytes()[:200])
    given = ["predict", str(tmp_path), str(photos), "--masks-to", str(masks)]
    done = CliRunner().invoke(app, given)
    assert "2 masks in" in done.output
    assert f"no mask: {photos / 'b.png'}" in done.output
    assert str(done.exception).endswith("photos: 1 of 3 photos have no mask, see above")
    assert {path.name for path in masks.glob("*.png")} == {"a.png", "c.png"}


def test_a_mask_is_called_as_its_photo_and_finds_its_truth(tmp_path, rng):
    network = get_model("squeezenet1_1", head="largefov", num_classes=3).eval()
    save_segmenter(network, "squeezenet1_1", ["owl", "rail"], 40, tmp_path / "model")
    for name in ("Im Wald/a 1.jpg", "b.jpg", "b.webp"):
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (20, 30, 3)).astype(np.uint8)).save(path)
    found, truth = tmp_path / "photos" / "masks", tmp_path / "truth"
    assert "3 masks in" in wsss("predict", tmp_path, tmp_path / "photos", "--masks-to", found)
    assert "3 masks in" in wsss("predict", tmp_path, tmp_path / "photos", "--masks-to", found)
    with pytest.raises(InputError, match=r"photos: lies where results are written .*--masks-to$"):
        wsss("predict", tmp_path, tmp_path / "photos", "--masks-to", tmp_path / "photos" / ".")
    told = wsss("predict", tmp_path, tmp_path / "photos", "--masks-to", tmp_path / "elsewhere")
    assert "3 masks in" in told
    with pytest.raises(
        InputError, match=r"model\.pt: results cannot be written there .*--masks-to"
    ):
        wsss("predict", *[tmp_path, tmp_path / "photos"], "--masks-to", tmp_path / "model/model.pt")
    names = {each.relative_to(found).as_posix() for each in found.rglob("*.png")}
    assert names == {"Im Wald/a 1.png", "b.png", "b.webp.png"}
    (again := tmp_path / "again").mkdir()
    wsss("predict", tmp_path, tmp_path / "photos", "--masks-to", again / "one")
    truth.mkdir()
    for name in ("a 1.PNG", "c.png"):  # flat, as people keep a few true masks
        Image.fromarray(np.zeros((20, 30), np.uint8)).save(truth / name)
    told = wsss("evaluate", found, truth)
    assert "note: 1 masks of" in told
    assert "and 1 images" in told
    assert wsss("evaluate", again, truth).splitlines()[-1] == told.splitlines()[-1]
    photo = tmp_path / "photos" / "Im Wald" / "a 1.jpg"
    (found / "Im Wald" / "a 1.jpg").write_bytes(photo.read_bytes())  # beside its mask
    assert wsss("evaluate", found, truth) == told
    Image.fromarray(np.zeros((30, 20), np.uint8)).save(truth / "a 1.PNG")
    with pytest.raises(InputError, match=r"a 1\.png: 30 x 20 pixels, the truth has 20 x 30"):
        wsss("evaluate", found, truth)


def test_a_picture_of_an_unknown_kind_is_one_line(tmp_path):
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    with pytest.raises(InputError, match=r"a\.xyz: .*; end it in one of png, jpg, pdf, svg"):
        wsss("look", tmp_path / "a.png", "--to", tmp_path / "a.xyz")
    with pytest.raises(InputError, match=r"a\.png: the photo itself; name another picture by --to"):
        wsss("look", tmp_path / "a.png", "--to", tmp_path / "." / "a.png")
    with pytest.raises(InputError, match="no such photo; name the file of one"):
        wsss("look", tmp_path)


def test_what_an_earlier_run_left_is_told_and_stays(tmp_path, capsys):
    left = [tmp_path / "sub" / "old.png", tmp_path / "new.png", tmp_path / "new.npy"]
    for path in left:
        path.parent.mkdir(exist_ok=True)
        path.touch()
    _tell_left(tmp_path, [tmp_path / "new.png"])
    told = f"note: {left[0]}: left by an earlier run; delete what is old"
    assert told in capsys.readouterr().err
    assert all(path.is_file() for path in left)
    _tell_left(tmp_path / "sub", left[:1])
    assert not capsys.readouterr().err


def test_a_saved_segmenter_needs_nothing_else(tmp_path, rng):
    network = get_model("squeezenet1_1", head="largefov", num_classes=3).eval()
    save_segmenter(network, "squeezenet1_1", ["owl", "rail"], 40, tmp_path / "model")
    saved = load_segmenter(tmp_path / "model")
    assert saved.classes == ("owl", "rail")
    images = [rng.integers(0, 256, (h, w, 3)).astype(np.uint8) for h, w in ((60, 80), (30, 20))]
    maps = saved.predict(images)
    assert [each.shape for each in maps] == [(60, 80), (30, 20)]
    for wrong in (images[0][..., 0], images[0] / 255, [[0]]):
        for function in (saved.probabilities, lambda each: saved.predict([each])):
            with pytest.raises(
                InputError, match=r"an image is .*; give an array \(H, W, 3\) of uint8"
            ):
                function(wrong)
    (tmp_path / "model" / ".DS_Store").touch()
    onnx = tmp_path / "model" / "model.onnx"  # where people put it, and write it again
    for content in (b"one", b"two"):
        onnx.write_bytes(content)
        assert load_segmenter(tmp_path / "model").classes == saved.classes
        save_segmenter(network, "squeezenet1_1", ["owl", "rail"], 40, tmp_path / "model")
    weights = tmp_path / "model" / "model.pt"
    content = bytearray(weights.read_bytes())
    content[len(content) // 2] ^= 1
    weights.write_bytes(content)
    with pytest.raises(InputError, match=r"damaged, model\.pt has changed"):
        load_segmenter(tmp_path / "model")
    with pytest.raises(InputError, match="no saved segmenter"):
        load_segmenter(tmp_path / "absent")


def test_an_onnx_file_says_what_torch_says(tmp_path, rng):
    torch.manual_seed(0)
    network = get_model("squeezenet1_1", head="largefov", num_classes=3, weights="imagenet").eval()
    save_segmenter(network, "squeezenet1_1", ["owl", "rail"], 96, tmp_path / "model")
    with pytest.raises(InputError, match=r"labels\.csv: end its name in \.onnx"):
        wsss("export", tmp_path, tmp_path / "labels.csv")
    with pytest.raises(InputError, match=r": a folder; name the file to write, say .*model\.onnx"):
        wsss("export", tmp_path, tmp_path)
    path = tmp_path / "new" / "model.onnx"
    told = wsss("export", tmp_path, path)
    assert "at most 96 pixels a side, to logits (N, L, H, W): 0 background, 1 owl, 2 rail" in told
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    meta = session.get_modelmeta().custom_metadata_map
    assert json.loads(meta["classes"]) == ["owl", "rail"]
    assert meta["longest_side"] == "96"
    for size in ((65, 81), (40, 96), (33, 34)):
        photos = rng.integers(0, 256, (2, *size, 3)).astype(np.uint8)
        (found,) = session.run(None, {"images": photos})
        expected = [logits.numpy() for _, logits in infer_logits(network, list(photos), Protocol())]
        assert np.abs(found - np.stack(expected)).max() < 1e-4


def test_masks_are_evaluated_by_the_usual_conventions(tmp_path):
    for name, mask in {"found": [[0, 1], [2, 0]], "true": [[0, 1], [1, 255]]}.items():
        (tmp_path / name).mkdir()
        Image.fromarray(np.array(mask, np.uint8)).save(tmp_path / name / "a.png")
    told = wsss("evaluate", tmp_path / "found", tmp_path / "true").splitlines()
    assert told[:3] == ["label 0: 100.0", "label 1: 50.0", "label 2: 0.0"]
    assert told[3].startswith("mIoU 50.0 % over 3 of 3 labels and 1 images")
    with pytest.raises(InputError, match="no PNG of the same name"):
        wsss("evaluate", tmp_path, tmp_path / "true")
