from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor


@pytest.fixture
def photos_of(voc_mini: Path):
    """Twelve photos, as pixels, a quarter of which or more shows one class, and no other does."""

    def choose(voc_class: int) -> list[Tensor]:
        photos = []
        for mask in sorted((voc_mini / "SegmentationClass").glob("*.png")):
            labels = np.asarray(Image.open(mask))
            if (
                set(np.unique(labels)) <= {0, voc_class, 255}
                and (labels == voc_class).mean() > 0.25
            ):
                photo = Image.open(voc_mini / "JPEGImages" / f"{mask.stem}.jpg").convert("RGB")
                photos.append(torch.from_numpy(np.array(photo)).permute(2, 0, 1)[None])
        assert len(photos) >= 12
        return photos[:12]

    return choose
