"""Fixtures for all tests."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from wsss.data.labels import write_labels_csv
from wsss.data.pictures import write_mask_png
from wsss.stages import Store

os.environ.setdefault("MPLBACKEND", "Agg")  # figures of tests need no display
REPOSITORY = Path(__file__).resolve().parents[1]
MakeVoc = Callable[..., Path]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if {"voc_mini", "voc_animals"} & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.voc)
        if item.get_closest_marker("gpu") and not torch.cuda.is_available():
            item.add_marker(pytest.mark.skip(reason="needs a GPU"))


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def contents() -> Callable[[Store], dict[str, bytes]]:
    """Read all files of a store but those that tell of time and place, and torch's own."""

    def read(store: Store) -> dict[str, bytes]:
        return {
            str(path.relative_to(store.runs)): path.read_bytes()
            for path in store.runs.rglob("*")
            if path.is_file()
            and path.name not in ("provenance.json", "SHA256SUMS")
            and path.suffix not in (".pt", ".lock")
        }

    return read


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture(scope="session")
def voc_mini() -> Path:
    """220 real photos of animals in the VOC layout."""
    return _shared_photos("voc12_animals_mini")


@pytest.fixture(scope="session")
def voc_animals() -> Path:
    """The 3,576 photos that `results/photo` is about."""
    return _shared_photos("voc12_animals")


def _shared_photos(name: str) -> Path:
    shared = Path(os.environ.get("WSSS_SHARED", REPOSITORY.parent / "shared"))
    root = shared / "data" / name
    if not root.is_dir():
        pytest.skip(f"needs real photos in {root}")
    return root


@pytest.fixture
def make_voc(tmp_path: Path) -> MakeVoc:
    """Write a small folder in the VOC layout; its images show one or two classes each."""

    def write(
        n: int = 4,
        *,
        size: tuple[int, int] = (12, 16),
        classes: Sequence[str] = ("cat", "dog"),
        splits: dict[str, Sequence[int]] | None = None,
        rng_seed: int = 0,
        name: str = "voc",
    ) -> Path:
        rng = np.random.default_rng(rng_seed)
        root = tmp_path / name
        for folder in ("JPEGImages", "SegmentationClass", "ImageSets/Segmentation"):
            (root / folder).mkdir(parents=True)
        (root / "classes.txt").write_text("".join(f"{each}\n" for each in classes))

        height, width = size
        ids = [f"2007_{index:06d}" for index in range(n)]
        present = np.zeros((n, len(classes)), bool)
        for index, image_id in enumerate(ids):
            mask = np.zeros(size, np.uint8)
            shown = rng.choice(len(classes), size=1 + index % 2, replace=False)
            for place, each in enumerate(shown):
                mask[height // 4 : -height // 4, place * width // 2 :][:, : width // 3] = each + 1
            mask[0] = 255
            present[index, shown] = True
            picture = rng.integers(0, 256, (height, width, 3), np.uint8)
            Image.fromarray(picture).save(root / "JPEGImages" / f"{image_id}.jpg", quality=95)
            write_mask_png(root / "SegmentationClass" / f"{image_id}.png", mask)
        write_labels_csv(root / "labels.csv", ids, classes, present)

        half = (n + 1) // 2
        for split, members in (splits or {"train": range(half), "val": range(half, n)}).items():
            path = root / "ImageSets" / "Segmentation" / f"{split}.txt"
            path.write_text("".join(f"{ids[member]}\n" for member in members))
        return root

    return write
