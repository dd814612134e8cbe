"""CRF seeds of an image: a new pydensecrf object for each seed against ours for all (Sec. 4.2).

python benchmarks/crf.py [--data DIR_OF_PHOTOS]
"""

from __future__ import annotations

from ratio import Row, Work, compare, write  # isort: skip

import argparse
from pathlib import Path

import numpy as np
from photos import photo
from PIL import Image
from pydensecrf.densecrf import DenseCRF2D

from wsss.crf import DenseCRF
from wsss.crf.lattice import TOUCHED

WIDTH, HEIGHT = 500, 375
SAME = 0.9999  # share of pixels whose label both ways must agree on


def photos(folder: Path | None, count: int) -> list[np.ndarray]:
    """Photos of a folder, spread over it, or a drawn scene, (HEIGHT, WIDTH, 3)."""
    if folder is None:
        return [np.asarray(photo(np.random.default_rng(0), WIDTH, HEIGHT))]
    paths = sorted(folder.rglob("*.jpg"))
    if not paths:
        raise SystemExit(f"{folder}: no *.jpg there; name a folder of photos")
    chosen = paths[:: -(-len(paths) // count)]
    images = (Image.open(path).convert("RGB").resize((WIDTH, HEIGHT)) for path in chosen)
    return [np.asarray(image) for image in images]


def energies(rng: np.random.Generator, seeds: int, labels: int) -> np.ndarray:
    """Energies (seeds, labels, H, W) of blobs at stride 8, which vary a little between seeds."""
    h, w = -(-HEIGHT // 8), -(-WIDTH // 8)
    y, x = np.mgrid[0 : 1 : h * 1j, 0 : 1 : w * 1j]
    centres, widths = rng.uniform(0.2, 0.8, (labels - 1, 2)), rng.uniform(0.08, 0.25, labels - 1)
    unary = np.empty((seeds, labels, HEIGHT, WIDTH), np.float32)
    for seed in unary:
        moved = centres + rng.normal(0, 0.04, centres.shape)
        scaled = widths * rng.uniform(0.7, 1.3, widths.shape)
        distance = [(y - cy) ** 2 + (x - cx) ** 2 for cy, cx in moved]
        cam = np.exp(-np.array(distance) / (2 * scaled[:, None, None] ** 2))
        background = (1 - rng.uniform(0.8, 1.3) * cam.max(0)).clip(0, 1)
        for label, score in enumerate([background, *cam]):
            noisy = (score + rng.uniform(0, 0.05, score.shape)).astype(np.float32)
            full = Image.fromarray(noisy).resize((WIDTH, HEIGHT), Image.Resampling.BILINEAR)
            seed[label] = -np.log(np.maximum(np.asarray(full), 1e-5))
    return unary


def least(seeds: int, labels: int, iterations: int) -> Work:
    """Weights, vertices and energies of a pixel each iteration, input and result."""
    channels = -(-seeds // 8) * 8 * (labels - 1)
    per_pixel = iterations * (8 * TOUCHED + 4 * channels) + 8 * seeds * labels
    return Work(bytes=WIDTH * HEIGHT * per_pixel)


def pydensecrf(crf: DenseCRF, image: np.ndarray, unary: np.ndarray) -> np.ndarray:
    """Put the energies (M, H, W) of one seed through an object of its own."""
    theirs = DenseCRF2D(*image.shape[1::-1], len(unary))
    theirs.addPairwiseGaussian(sxy=crf.gaussian_sxy, compat=crf.gaussian_compat)
    theirs.addPairwiseBilateral(
        sxy=crf.bilateral_sxy,
        srgb=crf.bilateral_srgb,
        rgbim=image.copy(),
        compat=crf.bilateral_compat,
    )
    theirs.setUnaryEnergy(unary.reshape(len(unary), -1))
    return np.reshape(theirs.inference(crf.iterations), unary.shape)


def measure(
    case: str, image: np.ndarray, seeds: int, labels: int, *, rounds: int, grows: str = ""
) -> Row:
    """Both ways on one image, after a look whether they give the same labels."""
    fast = DenseCRF()
    unary = energies(np.random.default_rng(0), seeds, labels)

    def ours() -> np.ndarray:
        return fast(image, unary)

    def usual() -> np.ndarray:
        return np.concatenate([pydensecrf(fast, image, seed)[None] for seed in unary])

    same = (ours().argmax(1) == usual().argmax(1)).mean()
    assert same >= SAME, f"{case}: the same label at {100 * same:.4f} % of the pixels only"
    at = {"seeds": seeds, "labels": labels}.get(grows, np.nan)
    work = least(seeds, labels, fast.iterations)
    return compare(case, ours=ours, usual=usual, rounds=rounds, work=work, grows=grows, at=at)


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description="CRF seeds: pydensecrf against ours")
    parser.add_argument("--data", type=Path, help="folder with *.jpg (default: a drawn scene)")
    options = parser.parse_args()
    images = photos(options.data, 3)
    kind = "drawn scene" if options.data is None else "photo"
    rows = [
        measure(f"{kind} {i}, {WIDTH} × {HEIGHT}, 6 seeds, 3 labels", image, 6, 3, rounds=3)
        for i, image in enumerate(images, start=1)
    ]
    for seeds in (1, 3, 6, 12):
        rows.append(measure("3 labels, by seeds", images[0], seeds, 3, rounds=1, grows="seeds"))
    for labels in (2, 3, 4, 8):
        rows.append(measure("6 seeds, by labels", images[0], 6, labels, rounds=1, grows="labels"))
    write("crf", rows, ours="one lattice, all seeds", usual="a pydensecrf object a seed")


if __name__ == "__main__":
    main()
