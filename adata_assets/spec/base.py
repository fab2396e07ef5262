"""What all parts of the spec share."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

SPLITS = ("train", "validation", "test")
FORMATS = ("single", "pairs", "multiplets")

Fraction = Annotated[float, Field(ge=0, le=1)]


class Frozen(BaseModel):
    """A frozen part of the spec that refuses unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _refuse_unknown_keys(cls, given: Any) -> Any:
        # pydantic's own message does not say which keys there are.
        if not isinstance(given, dict) or cls.model_config.get("extra") != "forbid":
            return given
        if unknown := sorted(str(key) for key in given.keys() - cls.model_fields.keys()):
            raise ValueError(f"unknown keys {unknown}; allowed: {', '.join(cls.model_fields)}")
        return given


def require_name(value: str, what: str) -> str:
    """Return a name that can stand in keys, files and columns.

    Raises
    ------
    ValueError
        If it has other characters; pydantic says where.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,62}", value):
        raise ValueError(
            f"{what} must be lower-case letters, digits and _, beginning with a letter; found {value!r}"
        )
    return value
