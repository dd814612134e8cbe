"""A stage: a frozen value that names inputs, parameters and a version, and computes one thing.

Its identity is the SHA-256 of the canonical JSON of all of that, recursively. Defaults are written
out, so editing a default gives another identity to what depends on it and to nothing else; editing
a docstring or renaming a variable changes none. Code that computes something else than before needs
a new `version` of its stage.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    from wsss.stages.store import Store


class Spec(BaseModel):
    """A frozen, typed value that refuses fields it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Stage(Spec):
    """One step of the pipeline; see the module.

    Subclasses are final. Each declares ``stage: Literal["name"]`` and ``version: Literal[1]`` as
    fields with defaults, its inputs as fields that are stages, and `compute`.
    """

    resumes_from: ClassVar[tuple[str, ...]] = ()
    """Files, as patterns, that a killed computation leaves and the next one goes on from."""

    @cached_property
    def identity(self) -> str:
        """SHA-256 of the canonical JSON, 64 hexadecimal digits."""
        return hashlib.sha256(canonical_json(self).encode()).hexdigest()

    @property
    def name(self) -> str:
        """What kind of stage this is: the value of its field ``stage``."""
        return self.__dict__["stage"]

    def parents(self) -> list[Stage]:
        """Stages this one reads, in the order of the fields."""
        return list(_stages_in(self))

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Return a copy with some fields changed, checked and with an identity of its own."""
        fields = {name: getattr(self, name) for name in type(self).model_fields}
        return type(self)(**fields | dict(update or {}))

    @property
    def shares(self) -> str | None:
        """What stages have in common that cost less computed together; None if it is nothing.

        Each comes out as it would alone: what is shared is work, not results.
        """
        return None

    def compute(self, folder: Path, store: Store) -> float | None:
        """Write the result into `folder`; what the parents wrote is in ``store.folder(parent)``.

        Where it goes on from what a killed computation left, it returns the seconds that took.
        """
        raise TypeError(f"{type(self).__name__} does not say how it is computed")

    @classmethod
    def compute_together(
        cls, stages: Sequence[Any], folders: Sequence[Path], store: Store
    ) -> float | None:
        """Compute several stages with the same `shares`, each into its own folder, as `compute`."""
        return sum(
            stage.compute(folder, store) or 0.0
            for stage, folder in zip(stages, folders, strict=True)
        )


def canonical_json(spec: Spec) -> str:
    """All fields, defaults written out, keys sorted, without white space.

    Examples
    --------
    >>> class Point(Spec):
    ...     y: float = 0.5
    ...     x: int = 1
    >>> canonical_json(Point())
    '{"x":1,"y":0.5}'
    """
    return json.dumps(spec.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))


def _stages_in(spec: Spec) -> Iterator[Stage]:
    for field in type(spec).model_fields:
        value = getattr(spec, field)
        for item in value if isinstance(value, tuple) else (value,):
            if isinstance(item, Stage):
                yield item
