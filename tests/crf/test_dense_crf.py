"""The CRF of our own against pydensecrf and against sums over all pairs of pixels."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy.ndimage import gaussian_filter

from wsss.crf import PRESETS, DenseCRF
from wsss.errors import InputError
from wsss.profiles import demo

IMAGE = np.zeros((4, 5, 3), np.uint8)
UNARY = np.zeros((1, 2, 4, 5), np.float32)


def noise(rng, height, width):
    return rng.integers(0, 256, (height, width, 3), dtype=np.uint8)


def smooth(rng, height, width):
    field = gaussian_filter(rng.normal(size=(height, width, 3)), (6, 6, 0))
    field = (field - field.min()) / (np.ptp(field) + 1e-9)
    return (255 * field).astype(np.uint8)


def energies(rng, seeds, labels, height, width, spread=1.5):
    """Smooth blobs with some noise, as a CAM gives."""
    scores = gaussian_filter(rng.normal(size=(seeds, labels, height, width)), (0, 0, 5, 5)) * 12
    scores += rng.normal(size=scores.shape) * 0.3
    return (spread * scores).astype(np.float32)


def reference(crf, image, unary):
    """Pydensecrf, seed by seed."""
    densecrf = pytest.importorskip("pydensecrf.densecrf")
    height, width = image.shape[:2]
    theirs = densecrf.DenseCRF2D(width, height, unary.shape[1])
    theirs.addPairwiseGaussian(sxy=crf.gaussian_sxy, compat=crf.gaussian_compat)
    theirs.addPairwiseBilateral(
        sxy=crf.bilateral_sxy,
        srgb=crf.bilateral_srgb,
        rgbim=np.array(image, order="C"),  # it wants to be allowed to write
        compat=crf.bilateral_compat,
    )
    result = np.empty_like(unary)
    for energies, probabilities in zip(unary, result, strict=True):
        theirs.setUnaryEnergy(np.array(energies.reshape(len(energies), -1), order="C"))
        probabilities[:] = np.reshape(theirs.inference(crf.iterations), energies.shape)
    return result


def differing(ours, theirs):
    """Fraction of pixels with another label."""
    return (ours.argmax(1) != theirs.argmax(1)).mean()


@pytest.mark.parametrize("draw", [noise, smooth])
@pytest.mark.parametrize(("seeds", "labels"), [(1, 2), (6, 3), (9, 2), (1, 21), (3, 12)])
def test_equals_pydensecrf(rng, draw, seeds, labels):
    image, unary = draw(rng, 64, 76), energies(rng, seeds, labels, 64, 76)
    ours, theirs = DenseCRF()(image, unary), reference(DenseCRF(), image, unary)
    assert differing(ours, theirs) <= 1e-4
    np.testing.assert_allclose(ours, theirs, atol=1e-3)


@pytest.mark.parametrize("crf", [*PRESETS.values(), demo().seeds.rule("C").crf])
def test_other_parameters_equal_pydensecrf(rng, crf):
    image, unary = smooth(rng, 64, 64), energies(rng, 2, 4, 64, 64)
    ours, theirs = crf(image, unary), reference(crf, image, unary)
    assert differing(ours, theirs) <= 1e-4
    np.testing.assert_allclose(ours, theirs, atol=1e-3)


def test_equals_pydensecrf_on_photos(voc_mini, rng):
    different = pixels = 0
    for path in sorted((voc_mini / "JPEGImages").glob("*.jpg"))[::50]:
        image = np.asarray(Image.open(path).convert("RGB"))
        unary = energies(rng, 6, 3, *image.shape[:2])
        ours, theirs = DenseCRF()(image, unary), reference(DenseCRF(), image, unary)
        np.testing.assert_allclose(ours, theirs, atol=5e-3)
        different += (ours.argmax(1) != theirs.argmax(1)).sum()
        pixels += ours[:, 0].size
    assert different <= 1e-5 * pixels


def exact_mean_field(image, unary, crf):
    """Mean field with the Gaussian kernels themselves, as sums over all pairs of pixels."""
    height, width = image.shape[:2]
    y, x = np.divmod(np.arange(height * width), width)
    place = np.stack([x, y], 1).astype(float)
    colour = image.reshape(-1, 3).astype(float)

    def kernel(features, compat):
        k = np.exp(-0.5 * ((features[:, None] - features[None]) ** 2).sum(-1))
        return compat * k / np.sqrt(np.outer(k.sum(0), k.sum(1)))

    both = np.hstack([place / crf.bilateral_sxy, colour / crf.bilateral_srgb])
    k = kernel(place / crf.gaussian_sxy, crf.gaussian_compat) + kernel(both, crf.bilateral_compat)
    energy = unary.reshape(len(unary), -1).astype(float)

    def softmax(logits):
        odds = np.exp(logits - logits.max(0))
        return odds / odds.sum(0)

    q = softmax(-energy)
    for _ in range(crf.iterations):
        q = softmax(q @ k - energy)
    return q.reshape(unary.shape)


def test_is_close_to_the_exact_mean_field(rng):
    image = np.full((20, 22, 3), 60, np.uint8)
    image[:, 11:] = 180
    image += rng.integers(0, 8, image.shape, dtype=np.uint8)
    side = np.where(np.arange(22) < 11, 0.4, -0.4)
    unary = np.stack([np.zeros((20, 22)), np.broadcast_to(side, (20, 22))])
    unary = (unary + rng.normal(0, 0.4, unary.shape)).astype(np.float32)
    crf = DenseCRF(3.0, 1.0, 20.0, 20.0, 1.0, iterations=3)
    ours, exact = crf(image, unary[None])[0], exact_mean_field(image, unary, crf)
    assert np.abs(ours - exact).mean() < 0.02  # the lattice only approximates a Gaussian
    assert (ours.argmax(0) != exact.argmax(0)).mean() < 0.01


@settings(max_examples=25, deadline=None)
@given(
    size=st.tuples(st.integers(1, 20), st.integers(1, 20)),
    seeds=st.integers(1, 18),
    labels=st.integers(2, 11),
    iterations=st.integers(0, 3),
    random=st.integers(0, 2**32 - 1),
)
def test_any_shape(size, seeds, labels, iterations, random):
    rng = np.random.default_rng(random)
    image = noise(rng, *size)
    unary = rng.normal(0, 3, (seeds, labels, *size)).astype(np.float32)
    crf = DenseCRF(iterations=iterations)
    together = crf(image, unary)
    assert together.shape == unary.shape
    assert together.dtype == np.float32
    assert together.min() >= 0
    np.testing.assert_allclose(together.sum(1), 1, atol=1e-5)
    one_by_one = np.concatenate([crf(image, seed[None]) for seed in unary])
    assert np.array_equal(together, one_by_one)  # to the last bit
    order = rng.permutation(seeds)
    assert np.array_equal(crf(image, unary[order]), together[order])
    if iterations == 0:
        odds = np.exp(unary.min(1, keepdims=True) - unary)
        np.testing.assert_allclose(together, odds / odds.sum(1, keepdims=True), atol=1e-6)


def test_is_indifferent_to_memory_layout_and_to_a_constant(rng):
    image, unary = smooth(rng, 30, 40), energies(rng, 2, 3, 30, 40)
    expected = DenseCRF()(image, unary)
    strided = np.ascontiguousarray(image.transpose(2, 0, 1)).transpose(1, 2, 0)
    frozen = unary.copy()
    frozen.flags.writeable = image.flags.writeable = False
    np.testing.assert_array_equal(DenseCRF()(strided, unary.astype(float)), expected)
    np.testing.assert_array_equal(DenseCRF()(image, frozen), expected)
    np.testing.assert_allclose(DenseCRF()(image, unary + np.float32(4)), expected, atol=1e-3)


def test_large_energies_do_not_overflow(rng):
    unary = 1e4 * energies(rng, 2, 3, 16, 16)
    result = DenseCRF()(noise(rng, 16, 16), unary)
    np.testing.assert_array_equal(result.argmax(1), unary.argmin(1))
    assert np.isfinite(result).all()


@pytest.mark.parametrize(
    ("image", "unary", "message"),
    [
        (IMAGE.astype(float), UNARY, "float64; it must be"),
        (IMAGE[..., 0], UNARY, r"the image is \(4, 5\) uint8"),
        (IMAGE, UNARY[:, :, :3], r"energies \(1, 2, 3, 5\) do not fit"),
        (IMAGE, UNARY[0], "do not fit"),
        (IMAGE, UNARY[:0], "do not fit"),
        (IMAGE, UNARY[:, :1], "only one label"),
        (IMAGE, UNARY + np.float32("nan"), "not finite"),
        (IMAGE, UNARY - np.float32("inf"), "not finite"),
    ],
)
def test_unfit_input_is_refused(image, unary, message):
    with pytest.raises(InputError, match=message):
        DenseCRF()(image, unary)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"gaussian_sxy": 0}, "gaussian_sxy = 0 must be positive"),
        ({"bilateral_srgb": float("nan")}, "bilateral_srgb = nan must be positive"),
        ({"bilateral_compat": -1}, "bilateral_compat = -1 must not be negative"),
        ({"iterations": -1}, "iterations = -1 must not be negative"),
    ],
)
def test_unfit_parameters_are_refused(parameters, message):
    with pytest.raises(InputError, match=message):
        DenseCRF(**parameters)


@pytest.mark.parametrize("parameters", [{"bilateral_srgb": 0.05}, {"gaussian_sxy": 1e-40}])
def test_cells_too_many_to_number_are_refused(parameters):
    with pytest.raises(InputError, match="too small for an image of 5 x 4 pixels"):
        DenseCRF(**parameters)(IMAGE, UNARY)


@pytest.mark.slow
def test_a_second_process_does_not_compile(tmp_path, monkeypatch):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    program = (
        "import numpy as np; from wsss.crf import DenseCRF, lattice, mean_field\n"
        "DenseCRF()(np.zeros((4, 5, 3), np.uint8), np.zeros((1, 2, 4, 5), np.float32))\n"
        "kernels = [lattice._embed, lattice._normalise, lattice.blur, mean_field._update,\n"
        "           mean_field._relative_energy, mean_field._unpack]\n"
        "print(sum(sum(k.stats.cache_misses.values()) for k in kernels))"
    )
    misses = [
        int(subprocess.run([sys.executable, "-c", program], capture_output=True, check=True).stdout)
        for _ in range(2)
    ]
    assert misses[0] > 0
    assert misses[1] == 0
