"""The permutohedral lattices of an image, for the dense CRF (Sec. 4.2).

A Gaussian filter in d dimensions by Adams et al. (2010): each pixel is splatted onto the d + 1
vertices of the simplex it lies in, vertices are blurred along d + 1 axes, and pixels sliced from
the same vertices. The coordinates are computed as in Krähenbühl's C++ code (in `pydensecrf`), so
that results agree with it up to rounding.

Both lattices of the CRF, of position and of position and colour, share one array of vertices: the
sum of both filters is then one weighted sum over the nine vertices of a pixel. Normalisation and
the compatibilities are part of the weights.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit

from wsss.crf.simd import WIDTH, lanes, load, nearest, store
from wsss.errors import InputError

SPATIAL, BILATERAL = 2, 5  # features of a pixel: x, y and x, y, red, green, blue
TOUCHED = (SPATIAL + 1) + (BILATERAL + 1)  # vertices a pixel touches in both lattices
LARGEST_COORDINATE = 2**15  # beyond it float32 places pixels poorly (and pydensecrf's keys wrap)


@dataclass(frozen=True)
class Lattices:
    """The two lattices of an image of P pixels, as one array of V vertices.

    Attributes
    ----------
    vertices : (P, TOUCHED) int32
        Vertices that a pixel touches. Vertex 0 stands for all that do not exist; it stays zero.
    weights : (P, TOUCHED) float32
        Barycentric coordinate x symmetric normalisation x root of the compatibility.
    neighbours : (BILATERAL + 1, V, 2) int32
        The two neighbours of a vertex along each axis, 0 where there is none.
    constant : (P,) float32
        The message of a probability that is 1 everywhere.
    """

    vertices: np.ndarray
    weights: np.ndarray
    neighbours: np.ndarray
    constant: np.ndarray


def build_lattices(
    image: np.ndarray, spatial: tuple[float, float], bilateral: tuple[float, float, float]
) -> Lattices:
    """Lattices of an image.

    Parameters
    ----------
    image : (H, W, 3) uint8
        RGB.
    spatial : (sxy, compat)
        Standard deviation in pixels and weight of the kernel of position.
    bilateral : (sxy, srgb, compat)
        Standard deviations in pixels and colour levels, and weight, of the other kernel.

    Raises
    ------
    InputError
        If a standard deviation is so small that the cells cannot be numbered.

    Examples
    --------
    >>> lattices = build_lattices(np.zeros((4, 5, 3), np.uint8), (3, 3), (80, 13, 10))
    >>> lattices.vertices.shape, lattices.neighbours.shape
    ((20, 9), (6, 25, 2))
    """
    pixels = image.shape[0] * image.shape[1]
    vertices = np.empty((pixels, TOUCHED), np.int32)
    weights = np.empty((pixels, TOUCHED), np.float32)
    axes, count = [], 1
    for colours, sxy, srgb, part in (
        (image[:, :, :0], spatial[0], 1.0, slice(SPATIAL + 1)),
        (image, bilateral[0], bilateral[1], slice(SPATIAL + 1, TOUCHED)),
    ):
        colours = np.array(colours, order="C")
        spread = np.array([sxy, sxy] + [srgb] * colours.shape[2], np.float32)
        scale, strides, origin = _number_cells(colours.shape, spread)
        parts = vertices[:, part], weights[:, part]
        axes.append(_embed(colours, spread, scale, strides, origin, *parts, count))
        count += axes[-1].shape[1]
    neighbours = np.zeros((BILATERAL + 1, count, 2), np.int32)
    neighbours[: SPATIAL + 1, 1 : 1 + axes[0].shape[1]] = axes[0]
    neighbours[:, 1 + axes[0].shape[1] :] = axes[1]
    compats = float(spatial[-1]), float(bilateral[-1])
    constant = _normalise(vertices, weights, neighbours, *compats)
    return Lattices(vertices, weights, neighbours, constant)


def _number_cells(shape: tuple[int, ...], spread: np.ndarray) -> tuple[np.ndarray, np.ndarray, int]:
    """Scale of the features before elevation; strides and origin of the numbers of vertices.

    A vertex with integer coordinates c has the 63-bit number origin + strides . c. Its last
    coordinate follows from the others (they sum up to zero) and has stride 0.
    """
    d = len(spread)
    j = np.arange(1.0, d + 1)
    scale = 1 / np.sqrt(j * (j + 1)) * np.float32(np.sqrt(2 / 3) * (d + 1))
    extent = np.array([shape[1] - 1, shape[0] - 1] + [255] * shape[2]) / spread * scale
    above = [extent[j:].sum() for j in range(d)]  # how far coordinate j gets above zero
    below = [j * extent[j - 1] for j in range(d)]
    margin = 4 * (d + 1)  # for the simplex's other vertices and their neighbours
    strides, origin, stride = [], 0, 1
    if max(above + below) < LARGEST_COORDINATE:
        for up, down in zip(above, below, strict=True):
            strides.append(stride)
            origin += (int(down) + margin) * stride
            stride *= int(up) + int(down) + 2 * margin
    if not strides or stride >= 2**63:
        raise InputError(
            f"dense CRF: standard deviations {spread.tolist()} (x, y, colours) are too small for "
            f"an image of {shape[1]} x {shape[0]} pixels: lattice cells cannot be numbered; use "
            "larger ones"
        )
    return scale.astype(np.float32), np.array([*strides, 0], np.int64), origin


@njit(cache=True, nogil=True)
def _embed(colours, spread, scale, strides, origin, vertices, weights, first):
    """Find each pixel's simplex; write its vertices, numbered on from `first`, and its weights.

    Returns the neighbours (d + 1, new vertices, 2).
    """
    height, width, channels = colours.shape
    d = channels + 2
    features = np.zeros((d, WIDTH), np.float32)
    offset = np.empty((d + 1, WIDTH), np.float32)
    corner = np.empty((d + 1, WIDTH), np.float32)
    rank = np.empty((d + 1, WIDTH), np.float32)
    ranked_offset = np.empty(d + 1, np.float32)
    ranked_stride = np.empty(d + 1, np.int64)
    previous = np.full(d + 1, -1, np.int64)
    table, keys, count = np.zeros(1 << 14, np.int32), np.zeros(1 << 13, np.int64), 0
    step = strides.sum()
    for start in range(0, height * width, WIDTH):
        stop = min(start + WIDTH, height * width)
        for pixel in range(start, stop):
            y, x = divmod(pixel, width)
            features[0, pixel - start] = np.float32(x) / spread[0]
            features[1, pixel - start] = np.float32(y) / spread[1]
            for i in range(channels):
                colour = np.float32(colours[y, x, i])
                features[2 + i, pixel - start] = colour / spread[2 + i]
        _locate(features, scale, corner, rank, offset)
        for pixel in range(start, stop):
            key = origin
            for i in range(d + 1):
                r = int(rank[i, pixel - start])
                ranked_offset[r] = offset[i, pixel - start]
                ranked_stride[r] = strides[i]
                key += int(corner[i, pixel - start]) * strides[i]
            for j in range(d + 1):
                # From one vertex of the simplex to the next all coordinates grow by one, except
                # that of the next largest offset, which falls by d.
                if j == 0:
                    weight = ranked_offset[d] + (np.float32(1) - ranked_offset[0])
                else:
                    weight = ranked_offset[d - j] - ranked_offset[d - j + 1]
                    key += step - (d + 1) * ranked_stride[d - j + 1]
                weights[pixel, j] = weight
                if key == previous[j]:  # most neighbouring pixels share vertices
                    vertices[pixel, j] = vertices[pixel - 1, j]
                    continue
                previous[j] = key
                slot = _slot(table, keys, key)
                if table[slot] == 0:
                    count += 1
                    keys[count], table[slot] = key, count
                vertices[pixel, j] = first - 1 + table[slot]
                if count + 1 == keys.size:
                    table, keys = _grow(keys)
    neighbours = np.zeros((d + 1, count, 2), np.int32)
    for axis in range(d + 1):
        for vertex in range(1, count + 1):
            key = keys[vertex] + (d + 1) * strides[axis] - step
            other = table[_slot(table, keys, key)]
            if other:
                neighbours[axis, vertex - 1, 0] = first - 1 + other
                neighbours[axis, other - 1, 1] = first - 1 + vertex
    return neighbours


@njit(cache=True, nogil=True)
def _locate(features, scale, corner, rank, offset):
    """Simplices of WIDTH pixels: a corner, ranks of the offsets from it, the offsets / (d + 1).

    Adams et al., Sec. 3: elevate onto the plane where coordinates sum up to 0, round to multiples
    of d + 1, sort the rest, and step back onto the plane if rounding left it.
    """
    d = len(features)
    zero, one, period = lanes(0), lanes(1), lanes(d + 1)
    inverse = lanes(np.float32(1 / (d + 1)))
    total = zero
    for j in range(d, 0, -1):
        scaled = load(features, j - 1, 0) * lanes(scale[j - 1])
        store(offset, j, 0, total - lanes(j) * scaled)
        total = total + scaled
    store(offset, 0, 0, total)
    off_plane = zero
    for i in range(d + 1):
        rounded = nearest(inverse * load(offset, i, 0))
        store(corner, i, 0, rounded * period)
        off_plane = off_plane + rounded
    for i in range(d + 1):
        own = load(offset, i, 0) - load(corner, i, 0)
        larger = off_plane
        for j in range(d + 1):
            other = load(offset, j, 0) - load(corner, j, 0)
            if j < i:
                larger = larger + (one - (other < own))
            elif j > i:
                larger = larger + (own < other)
        store(rank, i, 0, larger)
    for i in range(d + 1):
        wrap = period * ((load(rank, i, 0) < zero) + (load(rank, i, 0) < period) - one)
        store(rank, i, 0, load(rank, i, 0) + wrap)
        store(corner, i, 0, load(corner, i, 0) + wrap)
        store(offset, i, 0, (load(offset, i, 0) - load(corner, i, 0)) * inverse)


@njit(cache=True, nogil=True)
def _slot(table, keys, key):
    """Place of a key in the hash table of vertex numbers, or the empty place (0) where it goes."""
    mask = np.uint64(table.size - 1)
    slot = ((np.uint64(key) * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(32)) & mask
    while table[slot] and keys[table[slot]] != key:
        slot = (slot + np.uint64(1)) & mask
    return slot


@njit(cache=True, nogil=True)
def _grow(keys):
    """Hash table and keys of twice the size, once `keys` is full."""
    table, larger = np.zeros(4 * keys.size, np.int32), np.zeros(2 * keys.size, np.int64)
    larger[: keys.size] = keys
    for vertex in range(1, keys.size):
        table[_slot(table, keys, keys[vertex])] = vertex
    return table, larger


@njit(cache=True, nogil=True)
def _normalise(vertices, weights, neighbours, spatial_compat, bilateral_compat):
    """Fold symmetric normalisation and compatibility into the weights; return the constant.

    The lattice's own gain, 1 / (1 + 2^-d), cancels.
    """
    shape = (neighbours.shape[1], WIDTH)
    values, swap, filtered = np.zeros(shape, np.float32), np.zeros(shape, np.float32), 0.0
    constant = np.zeros(len(vertices), np.float32)
    for pixel in range(len(vertices)):
        for j in range(TOUCHED):
            values[vertices[pixel, j], 0] += weights[pixel, j]
    blur(values, swap, neighbours)
    swap[:] = 0
    for pixel in range(len(vertices)):
        for start, stop, compat in (
            (0, SPATIAL + 1, spatial_compat),
            (SPATIAL + 1, TOUCHED, bilateral_compat),
        ):
            filtered = np.float32(0)
            for j in range(start, stop):
                filtered += weights[pixel, j] * values[vertices[pixel, j], 0]
            factor = np.sqrt(np.float32(compat) / filtered)
            for j in range(start, stop):
                weights[pixel, j] *= factor
                swap[vertices[pixel, j], 0] += weights[pixel, j]
    blur(swap, values, neighbours)
    for pixel in range(len(vertices)):
        for j in range(TOUCHED):
            constant[pixel] += weights[pixel, j] * swap[vertices[pixel, j], 0]
    return constant


@njit(cache=True, nogil=True)
def blur(values, swap, neighbours):
    """Convolve with (1/2, 1, 1/2) along each axis, in place: the number of axes is even."""
    half = lanes(0.5)
    for axis in range(len(neighbours)):
        for vertex in range(neighbours.shape[1]):
            one, two = neighbours[axis, vertex, 0], neighbours[axis, vertex, 1]
            for c in range(0, values.shape[1], WIDTH):
                around = load(values, one, c) + load(values, two, c)
                store(swap, vertex, c, load(values, vertex, c) + half * around)
        values, swap = swap, values
