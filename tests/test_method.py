"""The method on one screen gives what the stages give."""

from dataclasses import replace

import numpy as np
import torch

from wsss import Lab
from wsss.inference import predict
from wsss.method import learn_to_segment
from wsss.metrics import iou, score
from wsss.paper import EVERYTHING
from wsss.profiles import smoke


def test_one_screen_is_the_stages_to_the_last_bit(tmp_path):
    profile = smoke()
    how = profile.classifier  # the screen trains all networks in one way
    segmenter = replace(profile.segmenter, schedule=how.schedule, augmentation=how.augmentation)
    profile = replace(profile, segmenter=segmenter)
    lab = Lab(profile, runs=tmp_path, workers=1, quiet=True)
    stage = lab.score(EVERYTHING)
    lab.run([stage])
    data = lab.train_images.load(lab.store)
    count = len(data.classes)
    classifiers = [network.build("cam", count, 0) for network in how.networks.values()]
    maps = lab.saliency.load(lab.store)  # in 8 bits, as the community keeps them
    ours = learn_to_segment(
        data.images,
        data.present,
        [torch.from_numpy(each.astype(np.float32) / 255) for each in maps],
        classifiers,
        stage.segmenter.network.build("largefov", count + 1, 0),
        how.schedule,
        how.augmentation,
        scales=profile.cams.scales,
        rules=profile.seeds.rules,
    )
    for network, part in zip(classifiers, how.networks, strict=True):
        assert_same(network, lab.classifier(part).load(lab.store))

    assert_same(ours, stage.segmenter.load(lab.store))
    val = stage.images.load(lab.store)
    confusion = score(predict(ours, val.images), val.masks, count + 1)
    miou = (100 * iou(confusion)[: count + 1]).nanmean().item()
    assert miou == stage.read(lab.store)["miou"]


def assert_same(ours, theirs):
    theirs = theirs.state_dict()
    for name, value in ours.state_dict().items():
        assert torch.equal(value, theirs[name]), name
