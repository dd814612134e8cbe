"""A training sample with K seeds: files decoded, resized and cropped against one affine (Sec. 5.2).

python benchmarks/input.py

The usual way opens a photo and its K label maps with PIL, resizes, mirrors, pads and crops all of
them. Ours reads decoded arrays from a memory map and samples them through one affine map, the seeds
only under the features. Scale, mirror and corner are the same, and so, but for how a resized image
is rounded, are the samples.
"""

from __future__ import annotations

from ratio import Work, compare, write  # isort: skip

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from photos import label_map, photo
from PIL import Image

from wsss.data.affine import Augmentation, sample_image, sample_labels
from wsss.data.packed import PackedArrays, pack
from wsss.data.pictures import read_image, read_mask_png, write_mask_png
from wsss.training.tasks import segmenter_sample

WIDTH, HEIGHT, CROP, STRIDE, FILL = 500, 375, 321, 8, (124, 116, 104)
PHOTOS, SEEDS, MOST_SEEDS = 16, 12, 24
AUGMENTATION = Augmentation(CROP)


@dataclass
class Files:
    """Photos and label maps on disk, as files and packed."""

    folder: Path
    images: PackedArrays
    seeds: list[PackedArrays]

    @classmethod
    def write(cls, folder: Path) -> Files:
        """Write JPEGs and palette PNGs, and pack what they hold."""
        rng, indices = np.random.default_rng(0), range(PHOTOS)
        for index in indices:
            photo(rng, WIDTH, HEIGHT).save(folder / f"{index}.jpg", quality=90)
            for k in range(MOST_SEEDS):
                write_mask_png(folder / f"{index}_{k}.png", label_map(rng, WIDTH, HEIGHT))
        images = pack(folder / "images", (read_image(folder / f"{i}.jpg") for i in indices))
        seeds = [
            pack(folder / f"seeds{k}", (read_mask_png(folder / f"{i}_{k}.png") for i in indices))
            for k in range(MOST_SEEDS)
        ]
        return cls(folder, images, seeds)

    def usual(self, index: int, seeds: int) -> tuple[np.ndarray, np.ndarray]:
        """Decode, resize, mirror, pad and crop."""
        step = AUGMENTATION.draw(HEIGHT, WIDTH, np.random.default_rng(index))
        mirrored, right, down = step[0, 0] < 0, abs(step[0, 0]), step[1, 1]
        size = round((WIDTH - 1) / right) + 1, round((HEIGHT - 1) / down) + 1
        left = round((WIDTH - 1 - step[0, 2] if mirrored else step[0, 2]) / right)
        top = round(step[1, 2] / down)

        def cropped(name: str, how: Image.Resampling, fill: int | tuple[int, ...]) -> np.ndarray:
            with Image.open(self.folder / name) as picture:
                array = np.asarray(picture.resize(size, how))
            if mirrored:
                array = array[:, ::-1]
            result = np.full((CROP, CROP, *array.shape[2:]), fill, np.uint8)
            part = array[max(top, 0) : top + CROP, max(left, 0) : left + CROP]
            y, x = max(-top, 0), max(-left, 0)
            result[y : y + part.shape[0], x : x + part.shape[1]] = part
            return result

        image = cropped(f"{index}.jpg", Image.Resampling.BILINEAR, FILL)
        names = (f"{index}_{k}.png" for k in range(seeds))
        labels = [cropped(name, Image.Resampling.NEAREST, 255) for name in names]
        return image, np.stack(labels)

    def ours(self, index: int, seeds: int) -> tuple[np.ndarray, np.ndarray]:
        """Sample the packed arrays."""
        return segmenter_sample(
            index,
            np.random.default_rng(index),
            images=self.images,
            seeds=self.seeds[:seeds],
            augmentation=AUGMENTATION,
            fill=FILL,
            output_stride=STRIDE,
        )

    def check(self) -> None:
        """Both ways show the same place: almost all labels are equal, colours are close."""
        for index in range(PHOTOS):
            (image, labels), (pixels, at_features) = self.usual(index, 2), self.ours(index, 2)
            assert (labels[:, ::STRIDE, ::STRIDE] == at_features).mean() > 0.97
            assert np.abs(image.astype(int) - pixels).mean() < 12
            affine = AUGMENTATION.draw(HEIGHT, WIDTH, np.random.default_rng(index))
            plain = read_image(self.folder / f"{index}.jpg")
            assert np.array_equal(pixels, sample_image(plain, affine, CROP, FILL))
            mask = read_mask_png(self.folder / f"{index}_1.png")
            assert np.array_equal(at_features[1], sample_labels([mask], affine, CROP, STRIDE)[0])


def least(seeds: int) -> Work:
    """Read and write the crop, three channels; read the labels and write them."""
    features = (CROP // STRIDE + 1) ** 2
    return Work(bytes=PHOTOS * (2 * 3 * CROP**2 + 2 * seeds * features))


def main() -> None:
    """Run the benchmark."""
    with tempfile.TemporaryDirectory() as folder:
        files = Files.write(Path(folder))
        files.check()
        rows = [
            compare(
                f"{PHOTOS} samples of {WIDTH} × {HEIGHT}, crop {CROP}, {SEEDS} seeds",
                ours=lambda: [files.ours(i, SEEDS) for i in range(PHOTOS)],
                usual=lambda: [files.usual(i, SEEDS) for i in range(PHOTOS)],
                work=least(SEEDS),
            )
        ]
        rows += [
            compare(
                f"{PHOTOS} samples of {WIDTH} × {HEIGHT}, crop {CROP}",
                ours=lambda k=seeds: [files.ours(i, k) for i in range(PHOTOS)],
                usual=lambda k=seeds: [files.usual(i, k) for i in range(PHOTOS)],
                rounds=5,
                work=least(seeds),
                grows="seeds",
                at=seeds,
            )
            for seeds in (1, 2, 4, 6, 12, 24)
        ]
    write("input", rows, ours="one affine, memory map", usual="PIL, a JPEG and K PNGs a sample")


if __name__ == "__main__":
    main()
