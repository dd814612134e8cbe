"""Inputs that are nearly, or not at all, what a parser reads: strategies of hypothesis."""

from __future__ import annotations

import io
import json
import pickle
import struct
import zlib
from typing import Any

import numpy as np
import torch
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

CHANGES = ("flip", "set", "cut", "insert", "remove", "double", "swap", "number")
NUMBERS = (0, 1, 2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1, 2**64 - 1)


def changed(content: bytes, changes: list[tuple[str, int, int, bytes]]) -> bytes:
    for kind, first, second, new in changes:
        size = len(content) or 1
        start, stop = sorted((first % size, second % size))
        head, middle, tail = content[:start], content[start:stop], content[stop:]
        content = {
            "flip": head
            + bytes([(content[start : start + 1] or b"\0")[0] ^ 1 << second % 8])
            + content[start + 1 :],
            "set": head + new + content[start + len(new) :],
            "cut": head,
            "insert": head + new + content[start:],
            "remove": head + tail,
            "double": head + middle * 2 + tail,
            "swap": head + middle[::-1] + tail,
            "number": head
            + struct.pack("<Q", NUMBERS[second % len(NUMBERS)])[: 4 + 4 * (first % 2)]
            + content[start + 4 + 4 * (first % 2) :],
        }[kind]
    return content


def mutations(valid: bytes) -> st.SearchStrategy[bytes]:
    place = st.integers(0, 2**32 - 1)
    change = st.tuples(st.sampled_from(CHANGES), place, place, st.binary(max_size=8))
    return st.lists(change, min_size=1, max_size=4).map(lambda each: changed(valid, each))


CELLS = st.sampled_from(
    [
        "id", "cat", "dog", "a", "0", "1", "", " ", '"', "'", "nan", "inf", "-1", "1e400", "\0",
        "identity", "testing", "table", "row", "column", "rng_seed", "miou", "images", "mIoU",
        "epoch", "right", "wrong", "x" * 300, "2007_000032", "../..", "\u2028", "\udcff", "é",
        "\x1b[2J", "99999999999999",
    ]
) | st.text(max_size=5)  # fmt: skip


def _encoded(text: str) -> bytes:
    return (
        text.encode("utf-8", "surrogateescape")
        if text.isascii()
        else text.encode("utf-16" if "é" in text else "utf-8", "surrogatepass")
    )


TABLES = st.builds(
    lambda rows, comma, end: _encoded(end.join(comma.join(row) for row in rows)),
    st.lists(st.lists(CELLS, max_size=6), max_size=6),
    st.sampled_from([",", ";", "\t", " "]),
    st.sampled_from(["\n", "\r\n", "\r", "\n\n"]),
)
KEYS = st.sampled_from(
    [
        "dtype", "shapes", "parents", "identity", "miou", "dataset", "classes", "sbd", "network",
        "longest_side", "<f4", "u1", "O", "VOC 2012",
    ]
) | st.text(max_size=3)  # fmt: skip
NUMBER = st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from([2**63, 10**30])
VALUES = st.recursive(
    NUMBER | KEYS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=8,
)
JSONS = VALUES.map(lambda value: json.dumps(value).encode())
XMLS = st.recursive(
    st.sampled_from(["cat", "1", "&lt;", "&bomb;", "\x0b", "]]>", "<!--", "<name>dog</name>"]),
    lambda inner: st.builds(
        lambda tag, parts: f"<{tag}>{''.join(parts)}</{tag}>",
        st.sampled_from(["annotation", "object", "name", "difficult", "a:b", "part"]),
        st.lists(inner, max_size=3),
    ),
    max_leaves=8,
).map(lambda text: _encoded(f'<?xml version="1.0"?>{text}'))
ARRAYS = arrays_of.arrays(
    st.sampled_from(["u1", "<f4", ">f8", "?", "<i8", "<f2"]), arrays_of.array_shapes(max_side=4)
)
PYTHON = st.recursive(
    ARRAYS | NUMBER | st.text(max_size=3) | st.binary(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner, inner)
        | st.dictionaries(
            st.integers(-1, 2**40) | st.sampled_from(["keys", "high_res", "a"]), inner
        )
    ),
    max_leaves=6,
)


def _npy(value: Any) -> bytes:
    file, held = io.BytesIO(), np.empty((), object)
    held[()] = value
    np.save(file, held)
    return file.getvalue()


def _torch(value: Any) -> bytes:
    file = io.BytesIO()
    torch.save(value, file)
    return file.getvalue()


NPYS, PICKLES = PYTHON.map(_npy), PYTHON.map(pickle.dumps)
FLOATS = arrays_of.arrays("<f4", arrays_of.array_shapes(max_side=4))
TENSORS = FLOATS.map(torch.from_numpy) | NUMBER
STATES = (st.dictionaries(st.text(max_size=3) | st.integers(), TENSORS) | TENSORS).map(_torch)


def _png(chunks: list[tuple[bytes, bytes]]) -> bytes:
    """Put chunks together with the right checksums, so that their content is looked at."""
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in [*chunks, (b"IEND", b"")]
    )


SIDE = st.sampled_from([0, 1, 4, 6, 20_000, 2**31 - 1, 2**32 - 1])
HEADER = st.builds(
    lambda *each: (b"IHDR", struct.pack(">IIBBBBB", *each)),
    SIDE, SIDE, st.sampled_from([1, 2, 8, 16, 9]), st.sampled_from([0, 2, 3, 4, 6, 5]),
    st.integers(0, 1), st.integers(0, 1), st.integers(0, 2),
)  # fmt: skip
CHUNK = st.tuples(
    st.sampled_from([b"IDAT", b"PLTE", b"tRNS", b"gAMA", b"cHRM", b"iCCP", b"tEXt", b"zTXt"])
    | st.sampled_from([b"iTXt", b"eXIf", b"pHYs", b"acTL", b"fcTL", b"fdAT", b"IHDR", b"sRGB"]),
    st.binary(max_size=30) | st.binary(max_size=30).map(zlib.compress),
)
PNGS = st.builds(lambda head, rest: _png([head, *rest]), HEADER, st.lists(CHUNK, max_size=5))
