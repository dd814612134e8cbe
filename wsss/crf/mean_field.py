"""Mean field of a dense CRF for all seeds of an image together (Sec. 4.2).

The algorithm of Krähenbühl and Koltun (2011). What makes it fast does not change the result:

- The lattices depend on the image alone: all its seeds go through them side by side.
- With Potts compatibility a label's message is its filtered probability. Over the labels these
  sum up to the filtered constant 1, so label 0 needs no channel: the others are kept relative
  to it.
- Slicing, softmax, and splatting the result for the next iteration are one pass over the pixels,
  eight channels at a time.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from wsss.crf.lattice import TOUCHED, Lattices, blur
from wsss.crf.simd import (
    WIDTH,
    exp,
    gather,
    lane_max,
    lane_sum,
    lanes,
    load,
    row_tuple,
    scatter,
    store,
)


def mean_field(lattices: Lattices, unary: np.ndarray, iterations: int) -> np.ndarray:
    """Probabilities of the labels after some iterations.

    Parameters
    ----------
    lattices : Lattices
        Of the image with P pixels.
    unary : (K, M, P) float32
        Energies of M >= 2 labels for each of K seeds.
    iterations : int
        0 gives the softmax of the negated energies.

    Returns
    -------
    (K, M, P) float32
        Sum over M is 1.

    Examples
    --------
    >>> from wsss.crf.lattice import build_lattices
    >>> lattices = build_lattices(np.zeros((1, 2, 3), np.uint8), (3, 3), (80, 13, 10))
    >>> unary = np.array([[[0, 0], [3, 0]]], np.float32)
    >>> print(mean_field(lattices, unary, 0).round(2))
    [[[0.95 0.5 ]
      [0.05 0.5 ]]]
    >>> print(mean_field(lattices, unary, 5).round(2))
    [[[1. 1.]
      [0. 0.]]]
    """
    seeds, labels, pixels = unary.shape
    seed, label = np.arange(seeds)[:, None], np.arange(labels - 1)
    # A group of channels is normalised together. Its lanes are either WIDTH seeds, a row of lanes
    # for each label, or the labels of one seed: whatever takes fewer rows. Both add up in the same
    # order if the labels fill one row; more are always across, so that a seed comes out the same to
    # the last bit in whatever company.
    across = labels - 1 > WIDTH or seeds < -(-seeds // WIDTH) * (labels - 1)
    if across:
        group = -(-(labels - 1) // WIDTH) * WIDTH
        channel = seed * group + label
    else:
        group = (labels - 1) * WIDTH
        channel = seed // WIDTH * group + label * WIDTH + seed % WIDTH
    channels = int(channel[-1, -1]) // group * group + group
    field = _aligned(pixels, channels)
    if across:
        field[:] = -np.inf  # a lane without a label never gets probability
    _relative_energy(unary, lattices.constant, channel, field)
    per_pixel = lattices.vertices, lattices.weights, lattices.constant
    values, target = (_aligned(lattices.neighbours.shape[1], channels) for _ in range(2))
    for iteration in range(iterations + 1):
        first, last = iteration == 0, iteration == iterations
        if not first:
            blur(values, target, lattices.neighbours)
        target[:] = 0
        _update(field, per_pixel, values, target, group, (across, first, last))
        values, target = target, values
    probabilities = np.empty_like(unary)
    _unpack(field, channel, probabilities)
    return probabilities


def _aligned(rows: int, columns: int) -> np.ndarray:
    """Zeros that begin on a cache line, so that a vertex's row straddles as few as can be."""
    line = 64
    raw = np.zeros(rows * columns * 4 + line, np.uint8)
    skip = -raw.ctypes.data % line
    return raw[skip : skip + rows * columns * 4].view(np.float32).reshape(rows, columns)


@njit(cache=True, nogil=True)
def _update(field, per_pixel, values, target, group, flags):
    """Slice `values`, softmax, splat to `target`: one iteration, without the blur.

    `field` holds the relative energies; in the last iteration probabilities take their place.
    """
    vertices, weights, constant = per_pixel
    across, first, last = flags
    channels = field.shape[1]
    logits = np.empty((1, channels), np.float32)
    zero, one = lanes(0), lanes(1)
    for pixel in range(len(field)):
        touched = row_tuple(vertices, pixel, TOUCHED)
        weight = row_tuple(weights, pixel, TOUCHED)
        for start in range(0, channels, group):
            total = zero
            for c in range(start, start + group, WIDTH):
                message = zero if first else gather(values, touched, weight, c)
                total = total + message
                store(logits, 0, c, message)
            if across:
                total = lanes(lane_sum(total))
            if first:
                total = lanes(constant[pixel])  # undoes its part in the relative energy
            largest = zero
            for c in range(start, start + group, WIDTH):
                logit = load(logits, 0, c) + total + load(field, pixel, c)
                largest = max(largest, logit)
                store(logits, 0, c, logit)
            if across:
                largest = lanes(lane_max(largest))
            total = zero
            for c in range(start, start + group, WIDTH):
                odds = exp(load(logits, 0, c) - largest)
                total = total + odds
                store(logits, 0, c, odds)
            if across:
                total = lanes(lane_sum(total))
            normaliser = one / (total + exp(zero - largest))
            for c in range(start, start + group, WIDTH):
                probability = load(logits, 0, c) * normaliser
                if last:
                    store(field, pixel, c, probability)
                else:
                    scatter(target, touched, weight, c, probability)


@njit(cache=True, nogil=True)
def _relative_energy(unary, constant, channel, field):
    """Logits relative to label 0, before messages."""
    for pixel in range(len(field)):
        for seed in range(unary.shape[0]):
            base = unary[seed, 0, pixel] - constant[pixel]
            for label in range(1, unary.shape[1]):
                field[pixel, channel[seed, label - 1]] = base - unary[seed, label, pixel]


@njit(cache=True, nogil=True)
def _unpack(field, channel, probabilities):
    """Probabilities in the layout of the caller, label 0 included."""
    for pixel in range(len(field)):
        for seed in range(probabilities.shape[0]):
            rest = np.float32(1)
            for label in range(1, probabilities.shape[1]):
                probability = field[pixel, channel[seed, label - 1]]
                probabilities[seed, label, pixel] = probability
                rest -= probability
            probabilities[seed, 0, pixel] = max(rest, np.float32(0))
