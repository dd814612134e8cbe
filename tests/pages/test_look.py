"""One photo, ImageNet's classes: `wsss look`."""

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from wsss.cli import app
from wsss.errors import InputError
from wsss.pages.look import NAMES, class_index, look

CHELSEA = "book/_static/chelsea.png"


def test_a_cat_is_taken_for_a_cat_and_its_seeds_lie_on_it(tmp_path):
    done = CliRunner().invoke(app, ["look", CHELSEA, "--to", str(tmp_path / "new" / "cat.jpg")])
    assert done.exit_code == 0, done.output
    with Image.open(tmp_path / "new" / "cat.jpg") as picture:
        assert picture.format == "JPEG"
        assert np.asarray(picture)[-4:].min() > 250  # the legend ends above the edge
    figure = look(np.array(Image.open(CHELSEA).convert("RGB").resize((226, 150))))
    (legend,) = figure.legends
    shown = [text.get_text() for text in legend.get_texts()]
    assert shown[0] == "background"
    assert shown[1] in ("tabby", "tiger cat", "Egyptian cat", "lynx")  # ImageNet's cats
    titles = [ax.get_title() for ax in figure.axes]
    assert titles[:4] == ["photo", "CAM, scale 1", "CAM, scale 0.75", "CAM, scale 0.5"]
    crf = figure.axes[titles.index("CRF seed")].images[0].get_array()
    assert tuple(crf[75, 100]) != tuple(crf[75, 222])  # the face, and the wall beside it


def test_classes_are_named_as_people_write_them_or_the_nearest_are_told():
    assert len(NAMES) == 1000
    assert [NAMES[class_index(name)] for name in NAMES] == list(NAMES)  # Cardigan and cardigan
    photo = np.zeros((32, 32, 3), np.uint8)
    look(photo, [" TABBY", "egyptian cat"])
    with pytest.raises(InputError, match="'cat' is none of ImageNet's thousand classes; near it"):
        look(photo, ["cat"])
