"""CRF seeds of an image: a new pydensecrf object for each seed against ours for all (Sec. 4.2).

Both run in this process, in turn, each on one thread; figures are CPU seconds, so that other
processes disturb them little, and a ratio is that of the medians.

    python benchmarks/crf.py [--data DIR_OF_PHOTOS] [--rounds 5]
"""

from __future__ import annotations

import argparse
import os
import platform
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numba
import numpy as np
from PIL import Image, ImageDraw

from wsss.crf import DenseCRF
from wsss.crf.lattice import TOUCHED, build_lattices
from wsss.crf.mean_field import mean_field

WIDTH, HEIGHT, SEEDS = 500, 375, 6


def photos(folder: Path | None, count: int) -> list[np.ndarray]:
    """Photos of a folder, spread over it, or a drawn scene, (HEIGHT, WIDTH, 3)."""
    if folder is None:
        return [draw_scene(np.random.default_rng(0))]
    paths = sorted(folder.rglob("*.jpg"))
    if not paths:
        raise SystemExit(f"{folder}: no *.jpg there; name a folder of photos")
    chosen = paths[:: -(-len(paths) // count)]
    images = (Image.open(path).convert("RGB").resize((WIDTH, HEIGHT)) for path in chosen)
    return [np.asarray(image) for image in images]


def draw_scene(rng: np.random.Generator) -> np.ndarray:
    """Ellipses over gradients, with the noise of a camera."""
    shade = np.linspace(0, 60, WIDTH) + np.linspace(0, 90, HEIGHT)[:, None]
    scene = Image.fromarray((shade[..., None] + [60, 80, 100]).clip(0, 255).astype(np.uint8))
    pen = ImageDraw.Draw(scene)
    for _ in range(40):
        x, y = rng.uniform(0, [WIDTH, HEIGHT])
        a, b = rng.uniform(10, 90, 2)
        pen.ellipse((x - a, y - b, x + a, y + b), fill=tuple(rng.integers(0, 256, 3).tolist()))
    pixels = np.asarray(scene) + rng.normal(0, 6, (HEIGHT, WIDTH, 3))
    return pixels.clip(0, 255).astype(np.uint8)


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


def cpu_seconds(function: Callable[[], object]) -> float:
    """CPU time of a call."""
    start = time.process_time()
    function()
    return time.process_time() - start


def copy_speed() -> float:
    """Bytes per second that this core reads and writes, copying."""
    source, target = np.ones((2, 1 << 25), np.uint8)
    return 2 * source.nbytes / min(cpu_seconds(lambda: np.copyto(target, source)) for _ in range(9))


def bytes_moved(labels: int, iterations: int) -> int:
    """Least traffic: weights, vertices and energies of a pixel each iteration, input and result."""
    channels = -(-SEEDS // 8) * 8 * (labels - 1)
    per_pixel = iterations * (8 * TOUCHED + 4 * channels) + 8 * SEEDS * labels
    return WIDTH * HEIGHT * per_pixel


def compare(images: list[np.ndarray], rounds: int) -> None:
    """Print the ratio for 2, 3 and 4 labels."""
    ours, theirs = DenseCRF(), DenseCRF(backend="pydensecrf")
    speed = copy_speed()
    print(f"{SEEDS} seeds, {WIDTH} x {HEIGHT}, {len(images)} image(s), {rounds} rounds, CPU s:")
    print("labels  pydensecrf    ours   ratio   same label   max |dp|   traffic alone")
    for labels in (2, 3, 4):
        times: dict[str, list[float]] = {"ours": [], "theirs": []}
        different, largest = 0, 0.0
        for round_ in range(rounds):
            image = images[round_ % len(images)]
            unary = energies(np.random.default_rng(round_), SEEDS, labels)
            fast = ours(image, unary)  # also warms up
            slow = np.empty_like(fast)

            def per_seed(image: np.ndarray = image, unary=unary, slow=slow) -> None:
                for seed, result in zip(unary, slow, strict=True):
                    result[:] = theirs(image, seed[None])[0]

            times["theirs"].append(cpu_seconds(per_seed))
            times["ours"] += [cpu_seconds(lambda i=image, u=unary: ours(i, u)) for _ in range(3)]
            different += int((fast.argmax(1) != slow.argmax(1)).sum())
            largest = max(largest, float(np.abs(fast - slow).max()))
        slow_time, fast_time = np.median(times["theirs"]), np.median(times["ours"])
        same = 100 * (1 - different / (rounds * SEEDS * WIDTH * HEIGHT))
        floor = bytes_moved(labels, ours.iterations) / speed
        print(
            f"{labels:6d}  {slow_time:10.3f}  {fast_time:6.3f}  {slow_time / fast_time:6.1f}"
            f"  {same:9.5f} %   {largest:8.0e}   {floor:9.3f} at {speed / 1e9:.0f} GB/s"
        )


def growth(image: np.ndarray) -> None:
    """Print how our cost grows with seeds and labels."""
    crf = DenseCRF()
    spatial = crf.gaussian_sxy, crf.gaussian_compat
    bilateral = crf.bilateral_sxy, crf.bilateral_srgb, crf.bilateral_compat
    lattices = build_lattices(image, spatial, bilateral)
    once = min(cpu_seconds(lambda: build_lattices(image, spatial, bilateral)) for _ in range(5))
    vertices = lattices.neighbours.shape[1] - 1
    print(f"\nours: lattices {1e3 * once:.0f} ms once per image ({vertices} vertices)")
    for seeds, labels in (
        (1, 3),
        (2, 3),
        (4, 3),
        (6, 3),
        (8, 3),
        (12, 3),
        (24, 3),
        (1, 21),
        (6, 21),
    ):
        unary = energies(np.random.default_rng(0), seeds, labels).reshape(seeds, labels, -1)
        spent = min(
            cpu_seconds(lambda u=unary: mean_field(lattices, u, crf.iterations)) for _ in range(2)
        )
        each = (spent + once) / seeds
        print(f"{seeds:4d} seeds, {labels:2d} labels: mean field {1e3 * spent:4.0f} ms;", end="")
        print(f"{1e3 * each:4.0f} ms a seed, lattices included")


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description="CRF seeds: pydensecrf against ours")
    parser.add_argument("--data", type=Path, help="folder with *.jpg (default: a drawn scene)")
    parser.add_argument("--rounds", type=int, default=5, help="runs (and photos) per row")
    options = parser.parse_args()
    images = photos(options.data, options.rounds)
    cpu = platform.processor() or platform.machine()
    if (info := Path("/proc/cpuinfo")).exists():
        models = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        cpu = models[0].split(":")[1].strip() if models else cpu
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    print(f"{cpu}, {os.cpu_count()} cores{load}; Python {platform.python_version()}, ", end="")
    print(f"numpy {np.__version__}, numba {numba.__version__}")
    replace(DenseCRF(), iterations=1)(
        images[0], energies(np.random.default_rng(0), 1, 2)
    )  # compile
    compare(images, options.rounds)
    growth(images[0])


if __name__ == "__main__":
    main()
