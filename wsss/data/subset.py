"""Some images of a split, about as many of each class (not in the paper)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Subset:
    """Some images of a split, about as many of each class (not in the paper).

    Parameters
    ----------
    split
        The split that is cut.
    keep
        Another split, whose images all stay, so that seeds can be scored on their masks; a folder
        without it keeps none.
    per_class
        Further images are taken in the order of the list, each if one of its classes has fewer
        images than this so far.
    """

    split: str
    keep: str
    per_class: int

    def choose(
        self, ids: Sequence[str], kept: Collection[str], present: NDArray[np.bool_]
    ) -> list[str]:
        """Choose, in the order of `ids`.

        Parameters
        ----------
        ids
            All N of the split.
        kept
            Those of them that stay anyway.
        present
            (N, C), image-level labels.

        Examples
        --------
        >>> cats_and_dogs = np.array([[1, 0], [1, 0], [0, 1], [1, 1]], bool)
        >>> Subset("train", "train_official", 1).choose("abcd", "b", cats_and_dogs)
        ['b', 'c']
        """
        stay = np.array([each in kept for each in ids])
        count = present[stay].sum(0)
        for index in np.flatnonzero(~stay):
            if (present[index] & (count < self.per_class)).any():
                stay[index] = True
                count += present[index]
        return [each for each, chosen in zip(ids, stay, strict=True) if chosen]
