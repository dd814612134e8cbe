"""The smallest profile that draws every table and picture."""

from __future__ import annotations

from dataclasses import replace

import pytest

from wsss.choices import CamChoices, DataChoices, PilotChoices, Profile, SeedChoices
from wsss.crf import DenseCRF
from wsss.profiles import smoke
from wsss.seeds import CrfSeed
from wsss.stages import Scenes
from wsss.training import Schedule


@pytest.fixture(scope="session")
def tiny() -> Profile:
    profile, short = smoke(), Schedule(epochs=1, batch_size=4)
    return replace(
        profile,
        data=DataChoices(Scenes(train=4, val=2, pilot=4)),
        classifier=replace(profile.classifier, schedule=short),
        cams=CamChoices(scales=(1.5, 1.125, 0.75)),
        seeds=SeedChoices("border", (CrfSeed(DenseCRF(iterations=1)),)),
        segmenter=replace(profile.segmenter, schedule=short),
        pilot=PilotChoices(short),
    )
