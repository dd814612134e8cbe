"""A stage: a frozen value that names inputs, parameters and a version, and computes one thing.

Its identity is the SHA-256 of the canonical JSON of all of that, recursively. Defaults are written
out, so editing a default gives another identity to what depends on it and to nothing else; editing
a docstring or renaming a variable changes none. Code that computes something else than before needs
a new `version` of its stage.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from functools import cache, cached_property
from inspect import get_annotations
from pathlib import Path
from typing import Any, ClassVar, Protocol, Self, get_args, get_type_hints

from pydantic import BaseModel, ConfigDict

from wsss.training.precision import Precision


class Results(Protocol):
    """Where a stage finds what others computed: the store, or the part of it that it may see."""

    def folder(self, stage: Stage) -> Path:
        """Folder of a result that is there."""
        ...

    def done(self, stage: Stage) -> bool:
        """Whether a result is there."""
        ...

    @property
    def data(self) -> Path:
        """Data folder."""
        ...


class Spec(BaseModel):
    """A frozen, typed value that refuses fields it does not know.

    Examples
    --------
    >>> class Point(Spec):
    ...     x: int = 1
    >>> Point(), Point(x=1) == Point()
    (Point(x=1), True)
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    @cached_property
    def plain(self) -> dict[str, Any]:
        """Its fields as JSON knows them, once, as many stages are made of one."""
        return _plain_fields(self)


class Stage(Spec):
    """One step of the pipeline; see the module.

    Subclasses declare ``stage: Literal["name"]`` and ``version: Literal[1]`` as fields with
    defaults, their inputs as fields that are stages, and `compute`.

    Examples
    --------
    >>> import typing
    >>> class Doubled(Stage):
    ...     stage: typing.Literal["doubled"] = "doubled"
    ...     number: int
    >>> Doubled(number=2).name, Doubled(number=2).identity == Doubled(number=3).identity
    ('doubled', False)
    """

    resumes_from: ClassVar[tuple[str, ...]] = ()
    """Files, as patterns, that a killed computation leaves and the next one goes on from."""

    on_gpu: ClassVar[bool] = False
    """Whether it uses a GPU where there is one; one such stage at a time runs on each."""

    reads_what_is_given: ClassVar[bool] = False
    """Whether it reads what the user gave, and nothing that was trained; such come first."""

    @cached_property
    def identity(self) -> str:
        """SHA-256 of the canonical JSON, 64 hexadecimal digits."""
        return hashlib.sha256(canonical_json(self).encode()).hexdigest()

    @property
    def name(self) -> str:
        """What kind of stage this is, the value of its field ``stage``."""
        return self.__dict__["stage"]

    def parents(self) -> list[Stage]:
        """Stages this one reads while it computes; it can read no others.

        By default those among its fields; a stage that reads what another one was made of names
        that too.
        """
        given = (getattr(self, name) for name in type(self).model_fields)
        several = (value if isinstance(value, tuple) else (value,) for value in given)
        return [each for values in several for each in values if isinstance(each, Stage)]

    def look_ahead(self, store: Results) -> None:
        """Refuse what it will lack, once all that is given was read and before any training."""

    @property
    def precision(self) -> Precision | None:
        """In what its network computes; None if it runs none."""
        return None

    @property
    def maker(self) -> Stage:
        """The stage whose computing its number is known by; of a score, the training."""
        return self

    def figures(self, store: Results, testing: Any = None) -> dict[str, Any]:
        """Read the numbers that a computed stage stands for, by name; most stand for none."""
        return {}

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Return a copy with some fields changed, checked and with an identity of its own."""
        current = {name: getattr(self, name) for name in type(self).model_fields}
        return type(self)(**current | dict(update or {}))

    def in_float32(self) -> Self:
        """Return the stage that does the same in float32: all of it that is in TF32 is not.

        Results that came with the package were made on CPUs, and are known by this one's identity.
        """
        return _in_float32(self) if '"precision":"tf32"' in canonical_json(self) else self

    @property
    def shares(self) -> str | None:
        """What stages have in common that cost less computed together; None if it is nothing.

        Each comes out as it would alone: what is shared is work, not results.
        """
        return None

    def compute(self, folder: Path, store: Results) -> float | None:
        """Write the result into `folder`; what the parents wrote is in ``store.folder(parent)``.

        Where it goes on from what a killed computation left, it returns the seconds that took.
        """
        raise TypeError(f"{type(self).__name__} does not say how it is computed")

    @classmethod
    def compute_together(
        cls, stages: Sequence[Any], folders: Sequence[Path], store: Results
    ) -> float | None:
        """Compute several stages with the same `shares`, each into its own folder, as `compute`."""
        return sum(
            stage.compute(folder, store) or 0.0
            for stage, folder in zip(stages, folders, strict=True)
        )


def canonical_json(value: Any) -> str:
    """All fields of the value that is really there, defaults written out, keys sorted.

    A value of another type than its field declares, of a subclass say, brings its type's name and
    its own fields along.

    Examples
    --------
    >>> class Point(Spec):
    ...     y: float = 0.5
    ...     x: int = 1
    >>> class Line(Spec):
    ...     start: Point
    >>> class Point3(Point):
    ...     z: int = 7
    >>> canonical_json(Line(start=Point()))
    '{"start":{"x":1,"y":0.5}}'
    >>> canonical_json(Line(start=Point3()))
    '{"start":{"type":"Point3","x":1,"y":0.5,"z":7}}'
    """
    kinds = type(value).__mro__
    declares = (kind for kind in kinds if "stage" in get_annotations(kind))
    known = {next(declares, kinds[0])}  # what computes something else calls itself something else
    return json.dumps(_plain(value, known), sort_keys=True, separators=(",", ":"))


def _plain(value: Any, declared: set[type]) -> Any:
    """Turn a value into what JSON knows; `declared` are the types that its field allows."""
    if isinstance(value, tuple | list):
        return [_plain(each, declared) for each in value]
    if type(value) is int and float in declared and int not in declared:
        return float(value)  # pyright: ignore  (1 where 1.0 is meant is the same)
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if not isinstance(value, Spec) and (not is_dataclass(value) or isinstance(value, type)):
        raise TypeError(f"{value!r} has no place in an identity: only plain values and their like")
    own = {} if type(value) in declared else {"type": type(value).__name__}
    return own | (value.plain if isinstance(value, Spec) else _plain_fields(value))


def _plain_fields(value: Any) -> dict[str, Any]:
    parts = {name: getattr(value, name) for name in _declared(type(value))}
    return {
        name: _plain(part, _declared(type(value))[name] or {type(part)})
        for name, part in parts.items()
    }


@cache
def _declared(kind: type) -> dict[str, set[type]]:
    """Types that each field of a model or dataclass allows."""
    if issubclass(kind, Spec):
        kinds = {name: field.annotation for name, field in kind.model_fields.items()}
    else:
        hints = get_type_hints(kind)
        kinds = {field.name: hints[field.name] for field in fields(kind)}  # pyright: ignore
    return {name: _types(each) for name, each in kinds.items()}


def _types(annotation: Any) -> set[type]:
    """Every type that an annotation names."""
    found = {annotation} if isinstance(annotation, type) else set()
    return found.union(*map(_types, get_args(annotation)))


def _in_float32(value: Any) -> Any:
    """Replace the arithmetic of schedules, wherever they are in a value."""
    if isinstance(value, tuple):
        return tuple(map(_in_float32, value))
    if isinstance(value, Spec):
        parts = {name: _in_float32(getattr(value, name)) for name in type(value).model_fields}
        return type(value)(**parts)
    in_tf32 = getattr(value, "precision", None) == "tf32"
    return replace(value, precision="32-true") if in_tf32 else value
