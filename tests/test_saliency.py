import sys

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from wsss.errors import InputError
from wsss.saliency import (
    BorderSaliency,
    U2NetP,
    cam_background,
    check_saliency,
    maps_fingerprint,
    read_saliency,
)


def disc_scene(rng, size=64, radius=14, centre=(34, 28)):
    """A coloured disc on a background whose colour varies smoothly, with noise."""
    y, x = np.mgrid[:size, :size] / size
    background = 0.45 + 0.2 * (x - 0.5)[..., None] * [1, 0.5, -1] + 0.15 * (y**2)[..., None]
    disc = np.hypot(y - centre[0] / size, x - centre[1] / size) < radius / size
    background[disc] = [0.8, 0.25, 0.2]
    noisy = background + rng.normal(0, 0.03, background.shape)
    return (255 * noisy.clip(0, 1)).astype(np.uint8), disc


def intersection_over_union(a, b):
    return (a & b).sum() / (a | b).sum()


def test_border_saliency_finds_a_disc_on_a_smooth_background():
    image, disc = disc_scene(np.random.default_rng(0))
    saliency = BorderSaliency()(image)
    assert saliency.dtype == np.float32
    assert saliency.shape == (64, 64)
    assert intersection_over_union(saliency > 0.5, disc) > 0.9
    assert (saliency[~disc] < 0.2).mean() > 0.95


def test_reweighting_forgives_an_object_that_touches_the_border():
    image, disc = disc_scene(np.random.default_rng(0), centre=(8, 32))
    robust, plain = (BorderSaliency(passes=passes)(image) for passes in (2, 0))
    assert intersection_over_union(robust > 0.5, disc) > 0.9
    assert intersection_over_union(robust > 0.5, disc) > intersection_over_union(plain > 0.5, disc)


def test_an_image_without_any_object_stays_dark():
    image, _ = disc_scene(np.random.default_rng(0), radius=0)
    assert BorderSaliency()(image).mean() < 0.1


@given(st.integers(0, 2**32 - 1), st.integers(11, 40), st.integers(11, 40))
def test_border_saliency_stays_in_range_and_follows_mirroring(rng_seed, height, width):
    image = np.random.default_rng(rng_seed).integers(0, 256, (height, width, 3), np.uint8)
    saliency = BorderSaliency()(image)
    assert saliency.min() >= 0
    assert saliency.max() <= 1
    mirrored = BorderSaliency()(image[:, ::-1])
    np.testing.assert_allclose(mirrored[:, ::-1], saliency, atol=2e-3)


@pytest.mark.parametrize("shape", [(64, 64), (64, 64, 4), (10, 64, 3)])
def test_border_saliency_refuses_what_it_cannot_use(shape):
    with pytest.raises(InputError, match=r"must be \(H, W, 3\)"):
        BorderSaliency()(np.zeros(shape, np.uint8))


@pytest.fixture(scope="module")
def network():
    pytest.importorskip("onnxruntime")
    try:
        return U2NetP()
    except InputError as error:
        pytest.skip(str(error))


def test_u2netp_answers_in_the_images_size_and_range(network):
    image, disc = disc_scene(np.random.default_rng(0), size=80)
    saliency = network(image[:70])
    assert saliency.shape == (70, 80)
    assert saliency.dtype == np.float32
    assert saliency.min() >= 0
    assert saliency.max() <= 1
    assert intersection_over_union(saliency > 0.5, disc[:70]) > 0.8


def test_u2netp_finds_nothing_fully_salient_in_an_empty_image(network):
    assert network(np.zeros((320, 320, 3), np.uint8)).max() < 1


def test_u2netp_is_the_same_each_time(network):
    image, _ = disc_scene(np.random.default_rng(0))
    np.testing.assert_array_equal(network(image), network(image))


def test_u2netp_refuses_a_grey_image(network):
    with pytest.raises(InputError, match=r"must be \(H, W, 3\)"):
        network(np.zeros((64, 64), np.uint8))


def test_u2netp_without_its_runtime_says_what_to_install(monkeypatch, network):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(InputError, match="pip install onnxruntime"):
        U2NetP()


def test_u2netp_finds_the_animals_of_photos(voc_mini, network):
    overlaps = []
    for path in sorted((voc_mini / "SegmentationClass").glob("*.png"))[:25:5]:
        mask = np.asarray(Image.open(path))
        with Image.open(voc_mini / "JPEGImages" / f"{path.stem}.jpg") as photo:
            salient = network(np.asarray(photo.convert("RGB"))) > 0.5
        known = mask != 255
        overlaps.append(intersection_over_union(salient[known], mask[known] > 0))
    assert np.mean(overlaps) > 0.4


@pytest.fixture
def folder(tmp_path):
    stored = np.array([[0, 51, 255], [102, 153, 204]], np.uint8)
    Image.fromarray(stored).save(tmp_path / "good.png")
    Image.fromarray(stored).convert("RGB").save(tmp_path / "colour.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "good.png").read_bytes()[:50])
    (tmp_path / "text.png").write_text("no image")
    return tmp_path


def test_read_saliency_scales_to_one(folder):
    saliency = read_saliency(folder, "good", (2, 3))
    assert saliency.dtype == np.float32
    np.testing.assert_allclose(saliency, [[0, 0.2, 1], [0.4, 0.6, 0.8]], atol=1e-7)


@pytest.mark.parametrize(
    ("image_id", "size", "message"),
    [
        ("absent", (2, 3), r"absent: no saliency map .*absent\.png"),
        ("good", (3, 2), r"good\.png: the map has 2 x 3 pixels .* its image 3 x 2"),
        ("colour", (2, 3), r"colour\.png: mode RGB"),
        ("cut", (2, 3), r"cut\.png: the saliency map is damaged"),
        ("text", (2, 3), r"text\.png: the saliency map is damaged"),
    ],
)
def test_read_saliency_names_what_is_wrong(folder, image_id, size, message):
    with pytest.raises(InputError, match=message) as error:
        read_saliency(folder, image_id, size)
    assert "\n" not in str(error.value)


def test_check_saliency_lists_every_problem_in_order(folder):
    problems = check_saliency(folder, dict.fromkeys(["good", "absent", "cut"], (2, 3)))
    assert [problem.split(":")[0].split("/")[-1] for problem in problems] == ["absent", "cut.png"]
    assert check_saliency(folder, {"good": (2, 3)}) == []


def test_the_fingerprint_of_maps_is_that_of_their_content(folder):
    ids = ["good", "colour"]
    before = maps_fingerprint(folder, ids)
    assert before == maps_fingerprint(folder, ids) != maps_fingerprint(folder, ids[:1])
    (folder / "good.png").write_bytes(b"other")
    assert maps_fingerprint(folder, ids) != before
    (folder / "good.png").unlink()
    with pytest.raises(InputError, match="good: no saliency map"):
        maps_fingerprint(folder, ids)


@given(st.integers(0, 2**32 - 1), st.sampled_from([1, 4, 16, 32]))
def test_cam_background_is_one_minus_psas_background_score(rng_seed, alpha):
    cam = np.random.default_rng(rng_seed).random((2, 3, 4, 5))
    saliency = cam_background(torch.from_numpy(cam), alpha).numpy()
    for index in np.ndindex(2, 4, 5):
        n, y, x = index
        background = (1 - max(cam[n, :, y, x])) ** alpha
        assert saliency[index] == pytest.approx(1 - background)
