"""What networks compute in: an identity of its own, said, and refused where it is not to be had."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest
import torch
from pandas.io.formats.style import Styler

from wsss import Lab
from wsss.errors import InputError
from wsss.pages.sharpness import show_noise
from wsss.pages.weights import trace_lines
from wsss.profiles import smoke
from wsss.stages import Stage, Store, graph
from wsss.stages.stage import Results
from wsss.training.precision import NAMES, PRECISIONS, Precision, arithmetic, require_precision

FLAGS: dict[Precision, tuple[bool, bool]] = {
    "32-true": (False, False),
    "tf32": (True, False),
    "bf16-mixed": (True, False),
}


@pytest.fixture
def pretended(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A GPU that answers, but is not there."""
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "Old Card")
    return monkeypatch


def flags_now() -> tuple[bool, bool]:
    return bool(torch.backends.cudnn.allow_tf32), bool(torch.backends.cuda.matmul.allow_tf32)


def score(lab: Lab) -> Stage:
    return lab.asked("table5")[-1].stage


def parts(lab: Lab) -> dict[str, set[str]]:
    """Identities of all that a table of twelve seeds needs, by kind."""
    found: dict[str, set[str]] = {}
    for stage in graph([score(lab), lab.trace(lab.richest)]):
        found.setdefault(stage.name, set()).add(stage.identity)
    return found


@pytest.mark.usefixtures("pretended")
@pytest.mark.parametrize("precision", FLAGS)
def test_arithmetic_is_switched_and_switched_back(precision: Precision) -> None:
    def fail() -> None:
        with arithmetic(precision):
            assert flags_now() == FLAGS[precision]
            raise KeyError

    before = flags_now()
    with pytest.raises(KeyError):
        fail()
    assert flags_now() == before


def test_what_a_device_lacks_is_refused(pretended: pytest.MonkeyPatch) -> None:
    for precision in FLAGS:
        require_precision(precision)
    pretended.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: False)
    require_precision("32-true")
    for precision in list(FLAGS)[1:]:
        with pytest.raises(InputError, match=f"{NAMES[precision]}: Old Card has none, .* 32$"):
            require_precision(precision)
    pretended.setattr(torch.cuda, "is_available", lambda: False)
    require_precision("bf16-mixed")  # a CPU has it
    with pytest.raises(InputError, match=r"tf32: no GPU is here, .* --precision 32 "):
        require_precision("tf32")


def test_float32_on_a_cpu_keeps_its_identities(monkeypatch: pytest.MonkeyPatch) -> None:
    """The recorded ones were made before anything else could be asked for."""
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    for lab in (Lab("demo", rng_seeds=[0]), Lab("demo", rng_seeds=[0], precision="32")):
        recorded = set(lab.records.scores["identity"])
        assert {each.stage.identity for each in lab.asked("table2", "table5")} <= recorded


def test_each_precision_has_results_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    found = {each: parts(Lab("demo", rng_seeds=[0], precision=each)) for each in PRECISIONS}
    by_a_network = {"classifier", "cams", "seeds", "segmenter", "segmenter_score", "weight_trace"}
    assert by_a_network <= found["32"].keys()
    for kind, identities in found["32"].items():
        shared = found["tf32"][kind] | found["bf16"][kind]
        if kind in by_a_network:
            assert not identities & shared
            assert not found["tf32"][kind] & found["bf16"][kind]
        elif kind != "seed_block":
            assert identities == shared  # images and saliency


def test_a_gpu_has_tf32_by_default_and_shows_what_was_recorded_in_float32(
    pretended: pytest.MonkeyPatch,
) -> None:
    usual = Lab("demo", rng_seeds=[0])
    assert parts(usual) == parts(Lab("demo", rng_seeds=[0], precision="tf32"))
    assert usual.store.origin(score(usual), "single").state == "recorded"
    other = Lab("demo", rng_seeds=[0], precision="bf16")
    assert other.store.origin(score(other), "single").state == "missing"
    pretended.setattr(torch.cuda, "device_count", lambda: 0)
    plain = score(Lab("demo", rng_seeds=[0]))
    assert score(usual).in_float32() == plain
    assert plain.in_float32() is plain


def test_a_gpu_shows_recorded_traces_and_qualities_of_seeds(
    pretended: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    shown = {}
    for count in (0, 1):
        pretended.setattr(torch.cuda, "device_count", lambda count=count: count)
        lab = Lab("demo", runs=tmp_path, compute="none", quiet=True)
        noise = show_noise(lab, lab.scores("sharpness"))
        assert isinstance(noise, Styler)
        shown[count] = trace_lines(lab).to_csv(), noise.to_html()
        assert lab.figure_weights() is not None
    assert shown[0] == shown[1]


def test_a_profile_in_bfloat16_stays_so(pretended: pytest.MonkeyPatch) -> None:
    base = smoke()
    schedule = replace(base.classifier.schedule, precision="bf16-mixed")
    profile = replace(base, classifier=replace(base.classifier, schedule=schedule))
    for count in (0, 1):
        pretended.setattr(torch.cuda, "device_count", lambda count=count: count)
        lab = Lab(profile)
        assert lab.classifier().precision == "bf16-mixed"
        assert lab.cams()[0].precision == ("tf32" if count else "32-true")


class Plain(Stage):
    """Runs no network, and may do so beside a training that another thread of its worker is at."""

    stage: Literal["plain"] = "plain"

    def compute(self, folder: Path, store: Results) -> None:
        (folder / "flags.json").write_text(json.dumps(flags_now()))


@pytest.mark.usefixtures("pretended")
@pytest.mark.parametrize("precision", FLAGS)
def test_a_stage_without_a_network_leaves_the_arithmetic_alone(
    precision: Precision, tmp_path: Path
) -> None:
    with arithmetic(precision):
        folder = Store(tmp_path).ensure(Plain())
    assert json.loads((folder / "flags.json").read_text()) == list(FLAGS[precision])


def test_nothing_is_computed_where_a_training_would_be_refused(tmp_path: Path) -> None:
    lab = Lab("smoke", runs=tmp_path, precision="tf32", quiet=True)
    with pytest.raises(InputError, match="no GPU is here"):
        lab.scores("table5")
    assert not list(tmp_path.iterdir())


def test_provenance_names_it(tmp_path: Path) -> None:
    lab = Lab("smoke", runs=tmp_path, precision="bf16", workers=1, quiet=True)
    cams = lab.cams("plain", "single")[0]
    seeds = lab.seeds("T", cams)
    lab.run([seeds])
    told = {
        stage.name: lab.store.provenance(stage)["arithmetic"]
        for stage in (lab.classifier(), cams, seeds)
    }
    assert told == {"classifier": "bfloat16", "cams": "float32", "seeds": None}
