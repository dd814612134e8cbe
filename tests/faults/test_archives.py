"""Archives for VOC's server hold what was asked for, whatever their images are called."""

from __future__ import annotations

import tarfile
from contextlib import suppress

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

from wsss.errors import InputError
from wsss.submission import FOLDER, write_submission

IDS = st.text(max_size=6) | st.sampled_from(
    ["a", "../x", "/x", ".x", "x" * 300, "a\nb", "a/b", "\0"]
)
MAPS = arrays_of.arrays("u1", st.tuples(st.integers(0, 3), st.integers(0, 3)))


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.lists(st.tuples(IDS, MAPS), max_size=3), st.booleans())
def test_an_archive_holds_what_was_asked_for_or_is_not_written(tmp_path_factory, maps, fits):
    out = tmp_path_factory.mktemp("submission")
    sizes = {image_id: label_map.shape if fits else (2, 2) for image_id, label_map in maps}
    with suppress(InputError):
        write_submission(maps, sizes, out)
    for archive in out.glob("*.gz"):
        with tarfile.open(archive) as tar:
            assert sorted(tar.getnames()) == sorted(str(FOLDER / f"{each}.png") for each in sizes)
    written = {each.parent for each in out.rglob("*") if each.is_file()}
    assert written <= {out, out / FOLDER}
