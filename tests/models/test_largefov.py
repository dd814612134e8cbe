"""The hidden layer of the small segmenters."""

import torch

from wsss.models.largefov import LargeFOVClassifier


def test_the_field_of_view_is_six_features_each_way():
    classifier = LargeFOVClassifier(512, 2).eval()
    features = torch.zeros(1, 512, 17, 17, requires_grad=True)
    with torch.no_grad():
        classifier.fov.bias.fill_(1)  # so that no ReLU blocks the gradient
    classifier(features)[0, 0, 8, 8].backward()
    seen = features.grad.abs().sum((0, 1)).nonzero()
    assert seen.unique().tolist() == [2, 8, 14]
