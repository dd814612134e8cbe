"""Pictures: they draw what they say, show what a profile has, and leave no figure open."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from wsss import figures
from wsss.crf import DenseCRF
from wsss.engine import run
from wsss.figures.style import PALETTE, aspects, label_entries, new_panels, seed_titles, show
from wsss.pipeline import PilotRecipe, Pipeline, Profile, Recipe
from wsss.profiles import get_profile
from wsss.stages import Scenes, Store, WeightTrace
from wsss.tables import EVERYTHING, TABLE1, trace_lines
from wsss.training import Schedule

mpl.use("Agg")
plt = pytest.importorskip("matplotlib.pyplot")
SHORT = Schedule(epochs=1, batch_size=4)
ONE = Recipe(("C",))


@pytest.fixture(scope="module")
def profile() -> Profile:
    return replace(
        get_profile("smoke"),
        source=lambda data: Scenes(train=4, val=2, pilot=4),
        crf=DenseCRF(iterations=1),
        scales=(1.5, 1.125, 0.75),
        classifier_schedule=SHORT,
        segmenter_schedule=SHORT,
        pilot_schedule=SHORT,
    )


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, profile: Profile) -> Store:
    """Everything that the pictures are drawn from, once for all tests."""
    store, pipeline = Store(tmp_path_factory.mktemp("runs")), Pipeline(profile)
    everything = [replace(EVERYTHING, segmenter=name) for name in profile.segmenters]
    goals = [
        *(pipeline.score(recipe, 0) for recipe in (*everything, ONE)),
        pipeline.segmenter(replace(ONE, segmenter="resnet101"), 0),
        WeightTrace(segmenter=pipeline.segmenter(EVERYTHING, 0)),
        *pipeline.labels(PilotRecipe(0.3, 2), 0),
    ]
    run(goals, store, workers=1, quiet=True)
    return store


@pytest.fixture
def pipeline(profile: Profile) -> Pipeline:
    return Pipeline(profile)


@pytest.fixture
def plain(profile: Profile) -> Pipeline:
    """A profile that casts VGG16 only, as `photo` does."""
    return Pipeline(
        replace(
            profile,
            cam_networks={"vgg16": profile.cam_networks["vgg16"]},
            segmenters={"vgg16": profile.segmenters["vgg16"]},
        )
    )


@pytest.fixture(autouse=True)
def nothing_left_open() -> object:
    yield
    assert plt.get_fignums() == []


def titles(figure: Figure) -> list[str]:
    return [ax.get_title() for ax in figure.axes if ax.get_title()]


def drawn(figure: Figure) -> Figure:
    """The layout is computed only when a figure is drawn; any warning is an error."""
    figure.canvas.draw()
    return figure


def test_figure1(pipeline: Pipeline, store: Store) -> None:
    figure = drawn(figures.figure1(pipeline, store, indices=(0, 2)))
    assert len(figure.axes) == 4 * 6
    assert titles(figure) == ["scale 1.5", "scale 1.125", "scale 0.75"] * 2
    image = pipeline.images("train").load(store).images[2]
    assert np.array_equal(figure.axes[3].images[0].get_array(), image)


def test_figure2_shows_what_the_noise_took(pipeline: Pipeline, store: Store) -> None:
    figure = drawn(figures.figure2(pipeline, store, indices=(0, 1, 99)))
    assert len(figure.axes) == 2 * 5  # there is no image 99
    truth, first = (np.asarray(figure.axes[n].images[0].get_array()) for n in (1, 2))
    images = pipeline.images(pipeline.profile.pilot_split)
    mask = images.load(store).masks[0]  # pyright: ignore
    taken = (truth != first).any(2)
    assert taken.sum() == round(0.3 * (mask > 0).sum())
    assert (first[taken] == PALETTE[0]).all()


def test_scales_side_by_side(pipeline: Pipeline, store: Store) -> None:
    figure = drawn(figures.figure_scales(pipeline, store, count=2))
    columns = ["image", "truth", "scale 1.5", "scale 1.125", "scale 0.75", "compared"]
    assert titles(figure) == columns
    assert len(figure.axes) == 2 * len(columns)


def test_networks_side_by_side(pipeline: Pipeline, plain: Pipeline, store: Store) -> None:
    figure = drawn(figures.figure_networks(pipeline, store, count=1))
    both = ["VGG16, CAM", "ResNet38, CAM", "VGG16, CRF", "ResNet38, CRF"]
    assert titles(figure) == ["image", "truth", *both, "compared"]
    figure = drawn(figures.figure_networks(plain, store, count=1))
    assert titles(figure) == ["image", "truth", "VGG16, CAM", "VGG16, CRF"]


def test_figure4(pipeline: Pipeline, store: Store) -> None:
    figure = drawn(figures.figure4(pipeline, store, EVERYTHING, most_seeds=5))
    assert len(figure.axes) == 6 * 3 + 1  # one epoch; the last one is the bar of colours
    assert titles(figure) == ["image", "truth", "epoch 1", "seed", "mistakes"]
    figure = drawn(figures.figure4(pipeline, store, EVERYTHING, most_seeds=99, index=0))
    assert len(figure.axes) == 13 * 3 + 1


def test_weights_over_epochs(pipeline: Pipeline, store: Store) -> None:
    trace = WeightTrace(segmenter=pipeline.segmenter(EVERYTHING, 0))
    figure = drawn(figures.figure_weights(trace_lines([trace], store)))
    left, right = figure.axes
    assert len(left.lines) == 5  # plain training; each random seed and the mean, right and wrong
    assert left.lines[0].get_ydata()[0] == pytest.approx(1 / 12)  # pyright: ignore
    assert 0 <= right.lines[-1].get_ydata()[-1] <= 100  # pyright: ignore


def test_figure5_shows_the_segmenters_there_are(
    pipeline: Pipeline, plain: Pipeline, store: Store
) -> None:
    recipes = {"one": ONE, "twelve": EVERYTHING}
    figure = drawn(figures.figure5(pipeline, store, recipes, indices=(0, 1, 2)))
    assert titles(figure) == [
        "image", "truth", "VGG16\none", "VGG16\ntwelve", "ResNet101\none", "ResNet101\ntwelve",
    ]  # fmt: skip
    assert len(figure.axes) == 2 * 6
    figure = drawn(figures.figure5(plain, store, recipes))
    assert titles(figure) == ["image", "truth", "VGG16\none"]


def test_rows_are_as_high_as_their_pictures() -> None:
    figure, axes = new_panels(2, 1, aspect=aspects([np.zeros((10, 40)), np.zeros((40, 40))]))
    for ax, picture in zip(axes.flat, (np.zeros((10, 40)), np.zeros((40, 40))), strict=True):
        show(ax, picture)
    low, high = (ax.get_position() for ax in drawn(figure).axes)
    assert high.height == pytest.approx(4 * low.height, rel=0.01)
    assert high.width == pytest.approx(low.width, rel=0.01)


def test_slider(pipeline: Pipeline, plain: Pipeline, store: Store) -> None:
    recipes = {"one <seed>": ONE, "twelve": EVERYTHING}
    html = figures.compare_predictions(pipeline, store, recipes)._repr_html_()
    assert html.count("data:image/png;base64,") == 2
    assert 'type="range"' in html
    assert "one &lt;seed&gt;" in html
    assert re.search(r'aria-label="[^"]*one &lt;seed&gt;[^"]*twelve"', html)
    assert "http" not in html
    alone = figures.compare_predictions(plain, store, recipes)
    assert (alone.before, alone.after) == ("truth", "one <seed>")


def test_paper_and_ours_have_axes_of_their_own() -> None:
    lines = [
        {"row": c.row, "column": c.column, "paper": c.paper, "rng_seed": s, "miou": c.paper / 2 + s}
        for c in TABLE1.cells
        for s in range(3)
    ]
    figure = drawn(figures.figure_lines(pd.DataFrame(lines), xlabel="noise ratio"))
    paper, ours = figure.axes
    assert paper.get_ylim()[0] > ours.get_ylim()[1]
    one, two = (line.get_ydata() for line in paper.lines)
    assert list(one) == [72.1, 70.6, 68.1, 64.8]  # pyright: ignore
    assert list(two) == [71.0, 69.0, 66.2]  # pyright: ignore
    assert [text.get_text() for text in paper.get_xticklabels()] == ["0", "0.1", "0.2", "0.3"]


def test_teaching_ranks_seeds_by_each_quality() -> None:
    cells = [("table2", "VGG16", "Threshold (T)"), ("table2", "VGG16", "CRF (C)"),
             ("table3", "CRF (C)", "Merged by max")]  # fmt: skip
    qualities = {
        "mIoU": [1, 2, 3],
        "precision": [3, 2, 1],
        "missed": [1, 3, 2],
        "unknown": [2, 1, 3],
    }
    lines = pd.DataFrame(cells, columns=["table", "row", "column"]).assign(
        **qualities, segmenter=[40.0, 50.0, 60.0]
    )
    figure = figures.figure_teaching(lines)
    assert figure is not None
    drawn(figure)
    ranks = ["+1.00", "−1.00", "+0.50", "+0.50"]
    assert [ax.get_title("left") for ax in figure.axes] == [f"rank correlation {r}" for r in ranks]
    assert [len(dots.get_offsets()) for dots in figure.axes[0].collections] == [1, 2]  # pyright: ignore
    assert figures.figure_teaching(lines.iloc[:0]) is None
    alone = figures.figure_teaching(lines.iloc[:1])
    assert alone is not None
    assert {ax.get_title("left") for ax in alone.axes} == {"no rank correlation"}


def test_agreement_of_three() -> None:
    maps = [np.array([[1, 1, 255, 0]]), np.array([[1, 1, 255, 1]]), np.array([[1, 1, 0, 0]])]
    assert figures.disagreement(maps).tolist() == [[0, 0, 2, 2]]
    assert figures.disagreement(maps, np.array([[1, 2, 0, 0]])).tolist() == [[0, 1, 2, 2]]
    assert figures.disagreement(maps[:1], np.array([[1, 2, 255, 255]])).tolist() == [[0, 1, 0, 0]]


def test_a_high_map_colours_and_a_low_one_does_not() -> None:
    image = np.full((1, 2, 3), 100, np.uint8)
    low, high = figures.overlay_cam(image, np.array([[[0.0, 1.0]]]))[0]
    assert np.ptp(low) == 0
    assert np.ptp(high) > 0.2


def test_names_of_seeds_and_labels(pipeline: Pipeline) -> None:
    named = seed_titles(pipeline, EVERYTHING, 0)
    assert len(named) == 12
    assert list(named.values())[:2] == [
        "VGG16\nthreshold\nscale 1.5",
        "VGG16\nthreshold\nscale 1.125",
    ]
    merged = seed_titles(pipeline, Recipe(("T",), "max"), 0)
    assert list(merged.values()) == ["VGG16\nthreshold"]
    assert [text for text, _ in label_entries(["red_fox"], [np.array([1, 255])])] == ["red fox"]


def test_pictures_need_no_display(tmp_path: Path, pipeline: Pipeline, store: Store) -> None:
    file = tmp_path / "figure.png"
    figures.figure1(pipeline, store, indices=(0,)).savefig(file)
    assert file.stat().st_size > 1000
