"""Pictures: they draw what they say, show what a profile has, and leave no figure open."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from PIL import Image

from wsss import Lab
from wsss.choices import Profile
from wsss.pages.seeds import disagreement
from wsss.pages.style import (
    PALETTE,
    aspects,
    label_entries,
    new_panels,
    overlay_cam,
    seed_titles,
    show,
)
from wsss.paper import EVERYTHING, TABLES, PilotRecipe, Recipe, get_table
from wsss.stages import RESULTS, NetworkSpec

ONE = Recipe(("C",))


@pytest.fixture(scope="module")
def lab(tiny: Profile, tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """Everything that the pictures are drawn from, once for all tests."""
    lab = Lab(tiny, runs=tmp_path_factory.mktemp("runs"), workers=1, quiet=True)
    everything = [replace(EVERYTHING, segmenter=part) for part in tiny.segmenter.networks]
    lab.run(
        [
            *(lab.score(recipe) for recipe in (*everything, ONE)),
            lab.segmenter(replace(ONE, segmenter="residual")),
            lab.trace(EVERYTHING),
            *lab.labels(PilotRecipe(0.3, 2)),
        ]
    )
    return lab


@pytest.fixture
def plain(lab: Lab) -> Lab:
    """A profile with the plain networks alone."""
    profile = lab.profile

    def poorer(training):
        return replace(training, networks={"plain": training.networks["plain"]})

    profile = replace(
        profile, classifier=poorer(profile.classifier), segmenter=poorer(profile.segmenter)
    )
    return Lab(profile, runs=lab.store.runs, workers=1, quiet=True)


@pytest.fixture(autouse=True)
def nothing_left_open() -> object:
    yield
    assert plt.get_fignums() == []


def titles(figure: Figure) -> list[str]:
    return [ax.get_title().replace("\n(", " (") for ax in figure.axes if ax.get_title()]


def drawn(figure: Figure) -> Figure:
    """The layout is computed only when a figure is drawn; any warning is an error."""
    figure.canvas.draw()
    return figure


def test_figure1(lab: Lab) -> None:
    figure = drawn(lab.figure1(indices=(0, 2)))
    assert len(figure.axes) == 4 * 6
    assert titles(figure) == ["scale 1.5", "scale 1.125", "scale 0.75"] * 2
    image = lab.train_images.load(lab.store).images[2]
    assert np.array_equal(figure.axes[3].images[0].get_array(), image)


def test_figure2_shows_what_the_noise_took(lab: Lab) -> None:
    figure = drawn(lab.figure2(indices=(0, 1, 99)))
    assert len(figure.axes) == 2 * 5  # there is no image 99
    truth, first = (np.asarray(figure.axes[n].images[0].get_array()) for n in (1, 2))
    images = lab.images(lab.profile.pilot.split)
    mask = images.load(lab.store).masks[0]  # pyright: ignore
    taken = (truth != first).any(2)
    assert taken.sum() == round(0.3 * (mask > 0).sum())
    assert (first[taken] == PALETTE[0]).all()


def test_scales_side_by_side(lab: Lab) -> None:
    figure = drawn(lab.figure_scales(count=2))
    columns = ["image", "truth", "scale 1.5", "scale 1.125", "scale 0.75", "compared"]
    assert titles(figure) == columns
    assert len(figure.axes) == 2 * len(columns)


def test_networks_side_by_side(lab: Lab, plain: Lab) -> None:
    figure = drawn(lab.figure_networks(count=1))
    both = [f"{name} (narrow), {what}" for what in ("CAM", "CRF") for name in ("VGG16", "ResNet38")]
    assert titles(figure) == ["image", "truth", *both, "compared"]
    figure = drawn(plain.figure_networks(count=1))
    assert titles(figure) == ["image", "truth", "VGG16 (narrow), CAM", "VGG16 (narrow), CRF"]


def test_figure4(lab: Lab) -> None:
    figure = drawn(lab.figure4(EVERYTHING, most_seeds=5))
    assert len(figure.axes) == 6 * 3 + 1  # one epoch; the last one is the bar of colours
    assert titles(figure) == ["image", "truth", "epoch 1", "seed", "mistakes"]
    figure = drawn(lab.figure4(EVERYTHING, most_seeds=99, index=0))
    assert len(figure.axes) == 13 * 3 + 1


def test_weights_over_epochs(lab: Lab) -> None:
    figure = drawn(lab.figure_weights())
    left, right = figure.axes
    assert len(left.lines) == 5  # plain training; each random seed and the mean, right and wrong
    assert left.lines[0].get_ydata()[0] == pytest.approx(1 / 12)  # pyright: ignore
    assert 0 <= right.lines[-1].get_ydata()[-1] <= 100  # pyright: ignore


def test_figure5_shows_the_segmenters_there_are(lab: Lab, plain: Lab) -> None:
    recipes = {"one": ONE, "twelve": EVERYTHING}
    figure = drawn(lab.figure5(recipes, indices=(0, 1, 2)))
    assert titles(figure) == [
        "image", "truth", "VGG16 (narrow)\none", "VGG16 (narrow)\ntwelve",
        "ResNet101 (narrow)\none", "ResNet101 (narrow)\ntwelve",
    ]  # fmt: skip
    assert len(figure.axes) == 2 * 6
    figure = drawn(plain.figure5(recipes))
    assert titles(figure) == ["image", "truth", "VGG16 (narrow)\none"]


def test_rows_are_as_high_as_their_pictures() -> None:
    figure, axes = new_panels(2, 1, aspect=aspects([np.zeros((10, 40)), np.zeros((40, 40))]))
    for ax, picture in zip(axes.flat, (np.zeros((10, 40)), np.zeros((40, 40))), strict=True):
        show(ax, picture)
    low, high = (ax.get_position() for ax in drawn(figure).axes)
    assert high.height == pytest.approx(4 * low.height, rel=0.01)
    assert high.width == pytest.approx(low.width, rel=0.01)


def test_slider(lab: Lab, plain: Lab) -> None:
    recipes = {"one <seed>": ONE, "twelve": EVERYTHING}
    html = lab.compare(recipes)._repr_html_()
    assert html.count("data:image/png;base64,") == 2
    assert 'type="range"' in html
    assert "one &lt;seed&gt;" in html
    assert re.search(r'aria-label="[^"]*one &lt;seed&gt;[^"]*twelve"', html)
    assert "http" not in html
    alone = plain.compare(recipes)
    assert (alone.before, alone.after) == ("truth", "one <seed>")


def test_paper_and_ours_have_axes_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [
        {"row": c.row, "column": c.column, "paper": c.paper, "rng_seed": s, "miou": c.paper / 2 + s}
        for c in TABLES["table1"].cells
        for s in range(3)
    ]
    monkeypatch.setattr(Lab, "scores", lambda *_, **__: pd.DataFrame(lines))
    figure = drawn(Lab("demo").figure_lines("table1", xlabel="noise ratio"))
    paper, ours = figure.axes
    assert paper.get_ylim()[0] > ours.get_ylim()[1]
    one, two = (line.get_ydata() for line in paper.lines)
    assert list(one) == [72.1, 70.6, 68.1, 64.8]  # pyright: ignore
    assert list(two) == [71.0, 69.0, 66.2]  # pyright: ignore
    assert [text.get_text() for text in paper.get_xticklabels()] == ["0", "0.1", "0.2", "0.3"]


def test_agreement_of_three() -> None:
    maps = [np.array([[1, 1, 255, 0]]), np.array([[1, 1, 255, 1]]), np.array([[1, 1, 0, 0]])]
    assert disagreement(maps).tolist() == [[0, 0, 2, 2]]
    assert disagreement(maps, np.array([[1, 2, 0, 0]])).tolist() == [[0, 1, 2, 2]]
    assert disagreement(maps[:1], np.array([[1, 2, 255, 255]])).tolist() == [[0, 1, 0, 0]]


def test_a_high_map_colours_and_a_low_one_does_not() -> None:
    image = np.full((1, 2, 3), 100, np.uint8)
    low, high = overlay_cam(image, np.array([[[0.0, 1.0]]]))[0]
    assert np.ptp(low) == 0
    assert np.ptp(high) > 0.2


def test_names_of_seeds_and_labels(lab: Lab) -> None:
    named = seed_titles(lab, EVERYTHING, 0)
    assert len(named) == 12
    assert list(named.values())[:2] == [
        "VGG16 (narrow)\nthreshold\nscale 1.5",
        "VGG16 (narrow)\nthreshold\nscale 1.125",
    ]
    merged = seed_titles(lab, Recipe(("T",), "max"), 0)
    assert list(merged.values()) == ["VGG16 (narrow)\nthreshold"]
    assert [text for text, _ in label_entries(["red_fox"], [np.array([1, 255])])] == ["red fox"]


def test_pictures_are_titled_by_the_network_that_plays_a_part(lab: Lab, tmp_path: Path) -> None:
    """Over SqueezeNet's maps no page may write VGG16."""
    spec = NetworkSpec(name="squeezenet1_1")
    training = replace(lab.profile.classifier, networks={"plain": spec})
    photo = Lab(replace(lab.profile, classifier=training), runs=tmp_path)
    (title,) = seed_titles(photo, Recipe(("T",)), 0).values()
    assert title.startswith("SqueezeNet 1.1\nthreshold")


def test_the_picture_of_page_10_is_of_the_demo_as_it_is() -> None:
    """Drawn once: it names the segmenters whose predictions it shows."""
    lab = Lab("demo", rng_seeds=[0])
    shown = [
        lab.segmenter(cell.recipe).identity
        for cell in get_table("wst_hurts").cells
        if cell.row in ("initial weights, noise 0.5, 2 labels", "untrained, noise 0.3, 6 labels")
    ]
    with Image.open(RESULTS / "demo" / "wst_hurts.png") as picture:
        assert picture.info["Comment"].split() == shown
