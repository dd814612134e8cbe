"""CONTRIBUTING's recipes, executed as they are written."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from wsss import Lab
from wsss.choices import SeedChoices, Training
from wsss.data.scenes import write_scenes
from wsss.models import NETWORKS, NetworkEntry
from wsss.paper import Recipe
from wsss.profiles import smoke
from wsss.seeds import SEED_TYPES, SeedRule
from wsss.stages import NetworkSpec, Photos

TEXT = (Path(__file__).parents[1] / "CONTRIBUTING.md").read_text()


def block(title):
    """The one Python block under a heading."""
    (code,) = re.findall(
        r"```python\n(.*?)```", TEXT.split(f"## {title}\n")[1].split("\n## ")[0], re.S
    )
    return code


def defined(title):
    names = {"__name__": "my_file"}
    exec(compile(block(title), title, "exec"), names)
    return names


def test_a_seed_type_is_one_file_and_one_line(tmp_path, monkeypatch):
    rule = defined("Add a seed type")["SalientSeed"]
    assert isinstance(rule(), SeedRule)
    monkeypatch.setitem(SEED_TYPES, rule.letter, rule)
    lab = Lab("smoke", runs=tmp_path, workers=1, quiet=True)
    recipe = Recipe(("T", "S"))
    score = lab.read(lab.score(recipe))
    assert 0 <= score["miou"] <= 100
    maps = lab.labels(recipe)[1].label_maps(lab.store)
    present = lab.train_images.load(lab.store).present
    for labels, classes in zip(maps, present, strict=True):
        assert set(np.unique(labels)) <= {0, *(1 + np.flatnonzero(classes)), 255}
    assert "salient" in lab.each_seed(recipe).to_html()

    seeds = SeedChoices(saliency="border", rules=(rule(salient_above=0.9),))
    other = Lab(replace(smoke(), seeds=seeds), runs=tmp_path)
    assert other.labels(recipe)[1].identity != lab.labels(recipe)[1].identity


def test_a_network_is_one_file_and_one_entry(tmp_path, monkeypatch):
    monkeypatch.setitem(
        NETWORKS, "shallow", NetworkEntry("Shallow", defined("Add a network")["build"])
    )
    profile = smoke()
    networks = {"plain": NetworkSpec(name="shallow"), "residual": NetworkSpec(name="shallow")}

    def playing(training: Training) -> Training:
        return replace(training, networks=networks)

    profile = replace(
        profile, classifier=playing(profile.classifier), segmenter=playing(profile.segmenter)
    )
    lab = Lab(profile, runs=tmp_path, workers=1, quiet=True)
    assert len(lab.scores("table2")) == 6
    assert "Shallow" in lab.each_seed(Recipe(("T",))).to_html()


def test_a_data_set_is_a_folder_and_a_profile_of_its_own(tmp_path):
    data = tmp_path / "photos"
    write_scenes(data, train=10, val=4, pilot=2, rng_seed=3)
    profile = defined("Add a data set")["profile"]
    assert isinstance(profile.data.source, Photos)
    lab = Lab(profile, data, runs=tmp_path / "runs")
    assert lab.source.classes == (
        "red_stripes",
        "green_bands",
        "blue_checker",
        "yellow_rings",
        "purple_dots",
    )
    assert not lab.classes_left_out()


def test_a_table_is_a_value(tmp_path):
    table = defined("Add a table")["table"]
    lab = Lab("smoke", runs=tmp_path, workers=1, quiet=True)
    html = lab.table(table).to_html()
    assert "weighted" in html
    assert "plain" in html
    assert set(lab.scores(table)["table"]) == {"sharp"}


@pytest.mark.parametrize(
    "path", sorted(set(re.findall(r"`(wsss/[\w/]+\.py|tests/[\w/]+\.py)`", TEXT)))
)
def test_files_that_are_named_exist(path):
    assert (Path(__file__).parents[1] / path).is_file()
