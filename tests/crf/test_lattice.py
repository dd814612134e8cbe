"""Properties of the permutohedral lattices."""

import numpy as np
import pytest

from wsss.crf.lattice import SPATIAL, build_lattices


@pytest.fixture(params=[(80.0, 13.0), (10.0, 2.0)], ids=["few vertices", "many vertices"])
def lattices(rng, request):
    image = rng.integers(0, 256, (60, 70, 3), dtype=np.uint8)
    return build_lattices(image, (3.0, 3.0), (*request.param, 10.0))


def test_each_pixel_touches_different_vertices(lattices):
    ordered = np.sort(lattices.vertices, axis=1)
    assert ordered[:, 0].min() == 1  # 0 is the vertex that is always zero
    assert (np.diff(ordered) > 0).all()
    assert ordered.max() == lattices.neighbours.shape[1] - 1
    position = lattices.vertices[:, : SPATIAL + 1].max()
    assert lattices.vertices[:, SPATIAL + 1 :].min() == position + 1


def test_neighbours_are_mutual(lattices):
    for axis in lattices.neighbours:
        for side in (0, 1):
            vertex = axis[:, side].nonzero()[0]
            assert len(vertex)
            np.testing.assert_array_equal(axis[axis[vertex, side], 1 - side], vertex)
    assert not lattices.neighbours[:, 0].any()


def filtered(lattices, values):
    """Splat, blur, slice in numpy, float64."""
    vertices, weights = lattices.vertices, lattices.weights.astype(float)
    grid = np.zeros(lattices.neighbours.shape[1])
    np.add.at(grid, vertices, weights * values[:, None])
    for axis in lattices.neighbours:
        grid = grid + 0.5 * grid[axis].sum(1)
    return (weights * grid[vertices]).sum(1)


def test_constant_is_the_message_of_one(lattices):
    expected = filtered(lattices, np.ones(len(lattices.vertices)))
    np.testing.assert_allclose(lattices.constant, expected, rtol=1e-4)


def test_a_flat_image_filters_to_its_weight():
    lattices = build_lattices(np.zeros((40, 40, 3), np.uint8), (3.0, 2.0), (5.0, 13.0, 4.0))
    middle = lattices.constant.reshape(40, 40)[15:25, 15:25]
    np.testing.assert_allclose(middle, 2 + 4, rtol=0.1)  # up to the ripple of the lattice
