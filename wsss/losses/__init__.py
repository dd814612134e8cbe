"""The training losses (Eq. 1 and 4 to 7): as equations, and the fast form of Eq. 5 as votes."""

from wsss.losses.equations import Unknown, classification_loss, reference_loss, seed_weights
from wsss.losses.selective import (
    Reduction,
    WeightedSelectiveLoss,
    weighted_selective_loss,
    weighted_selective_sum,
)
from wsss.losses.votes import count_votes, voted_cross_entropy

__all__ = [
    "Reduction",
    "Unknown",
    "WeightedSelectiveLoss",
    "classification_loss",
    "count_votes",
    "reference_loss",
    "seed_weights",
    "voted_cross_entropy",
    "weighted_selective_loss",
    "weighted_selective_sum",
]
