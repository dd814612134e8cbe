"""A page about a training on one's own photos, pictures inside (not in the paper)."""

from __future__ import annotations

import base64
import io
import json
from html import escape
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from wsss.inference import predict
from wsss.pages.seeds import figure1
from wsss.pages.style import colour_labels
from wsss.paper import EVERYTHING, Recipe
from wsss.pipeline import Pipeline
from wsss.stages import SegmenterScore, Stage

ALONE = {"threshold seed alone (T)": Recipe(("T",)), "CRF seed alone (C)": Recipe(("C",))}
SHOWN = 6

PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width"><style>
body {{ font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem;
  color-scheme: light dark }}
img {{ max-width: 100%; background: white }} td, th {{ padding: 0.2rem 0.8rem; text-align: left }}
</style></head><body><h1>{title}</h1>{body}</body></html>
"""


def own_scores(lab: Pipeline) -> dict[str, SegmenterScore]:
    """Scores of twelve seeds and of single ones on the photos held out."""
    return {name: lab.score(recipe) for name, recipe in ALONE.items()} | {
        "all twelve, weighted": lab.score(EVERYTHING)
    }


def write_own_report(lab: Pipeline, understood: str, out: Path, *, with_masks: bool) -> None:
    """Write ``report.html``: what was understood, maps and seeds, losses, predictions, scores."""
    segmenter = lab.segmenter(EVERYTHING)
    classifiers = [lab.classifier("plain"), lab.classifier("residual")]
    seconds = sum(lab.store.provenance(each)["seconds"] for each in [segmenter, *classifiers])
    parts = [
        f"<p>{escape(understood)}</p>",
        f"<p>Three trainings took {seconds / 60:.1f} minutes.</p>",
        "<h2>What the classifier looks at, and the seeds made of it</h2>",
        _picture(figure1(lab, indices=(0, 1)), "class activation maps at three scales and seeds"),
        "<h2>How it learnt</h2>",
        _picture(_losses(lab, [*classifiers, segmenter]), "loss of each epoch"),
        "<h2>Predictions for photos held out</h2>",
        _picture(_predictions(lab), "photos and what the segmenter says"),
    ]
    if with_masks:
        parts += ["<h2>Scores on photos held out</h2>", _scores(lab)]
    title = "A segmenter from image-level labels"
    out.write_text(PAGE.format(title=title, body="\n".join(parts)), encoding="utf-8")


def _scores(lab: Pipeline) -> str:
    read = {name: lab.read(stage) for name, stage in own_scores(lab).items()}
    rows = [
        f"<tr><td>{escape(name)}</td><td>{numbers['miou']:.1f}</td></tr>"
        for name, numbers in read.items()
    ]
    best = max(numbers["miou"] for name, numbers in read.items() if "alone" in name)
    gain = read["all twelve, weighted"]["miou"] - best
    told = f"Twelve seeds against the better single one: {gain:+.1f} mIoU, one training each."
    head = "<tr><th>trained on</th><th>mIoU (%)</th></tr>"
    return f"<table>{head}{''.join(rows)}</table><p>{told}</p>"


def _losses(lab: Pipeline, stages: list[Stage]) -> Figure:
    figure, axes = plt.subplots(1, len(stages), figsize=(9, 2.6))
    for ax, stage in zip(axes, stages, strict=True):
        history = json.loads((lab.store.folder(stage) / "history.json").read_text())
        ax.plot(range(1, len(history["loss"]) + 1), history["loss"], marker="o", ms=3)
        ax.set(title=stage.name, xlabel="epoch")
    axes[0].set_ylabel("loss")
    figure.tight_layout()
    return figure


def _predictions(lab: Pipeline) -> Figure:
    val = lab.images("val")
    lab.run([val])
    loaded = val.load(lab.store)
    images = [np.asarray(loaded.images[i]) for i in range(min(SHOWN, len(loaded.ids)))]
    maps = predict(lab.segmenter(EVERYTHING).load(lab.store), images)
    figure, axes = plt.subplots(2, len(images), figsize=(9, 3.2), squeeze=False)
    for column, image, labels in zip(axes.T, images, maps, strict=True):
        column[0].imshow(image)
        column[1].imshow(colour_labels(labels))
        for ax in column:
            ax.set_axis_off()
    figure.tight_layout(pad=0.3)
    return figure


def _picture(figure: Figure, text: str) -> str:
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=110)
    plt.close(figure)
    data = base64.b64encode(file.getvalue()).decode()
    return f'<img alt="{escape(text)}" src="data:image/png;base64,{data}">'
