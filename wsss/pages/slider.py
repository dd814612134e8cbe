"""Two pictures over one another and a handle between them, in plain HTML without a script file."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from html import escape

import numpy as np
from PIL import Image

LAYER = "position:absolute;inset:0;width:100%;height:100%;margin:0;image-rendering:pixelated;"


@dataclass(frozen=True, eq=False)
class Slider:
    """Before and after, as a notebook shows them; in print they stand side by side.

    Attributes
    ----------
    first, second : (H, W, 3) float
        Pictures in [0, 1], shown left and right of the handle.
    before, after : str
        What they are, for the eye and for a screen reader.
    width : int
        In pixels of the page; less where there is no room.
    """

    first: np.ndarray
    second: np.ndarray
    before: str
    after: str
    width: int = 320

    def _repr_html_(self) -> str:
        height, width = self.first.shape[:2]
        before, after = escape(self.before), escape(self.after)
        return (
            f'<figure class="slider" style="--cut:50%;max-width:{self.width}px;margin:1rem auto">'
            f'<div class="pictures" style="position:relative;aspect-ratio:{width}/{height}">'
            f'<img alt="{after}" style="{LAYER}" src="{_data_uri(self.second)}">'
            f'<img alt="{before}" style="{LAYER}clip-path:inset(0 calc(100% - var(--cut)) 0 0)" '
            f'src="{_data_uri(self.first)}"></div>'
            '<input type="range" min="0" max="100" value="50" style="width:100%;margin:0.5rem 0" '
            f'aria-label="left of the handle: {before}; right of it: {after}" '
            "oninput=\"this.parentNode.style.setProperty('--cut', this.value + '%')\">"
            '<figcaption style="display:flex;justify-content:space-between">'
            f"<span>{before}</span><span>{after}</span></figcaption></figure>"
        )


def _data_uri(picture: np.ndarray) -> str:
    """Write a picture as PNG, one pixel a pixel: the browser enlarges it."""
    pixels = np.rint(np.asarray(picture) * 255).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()
