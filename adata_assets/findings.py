"""What a check found, and how Dagster shows it.

Belongs here: results of checks, and the comparison of stored tables with their schemas. Which
checks there are is in ``checks``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import dagster as dg
import pandera.errors
import pandera.pandas as pa

if TYPE_CHECKING:
    import pandas as pd

Schema = type[pa.DataFrameModel] | pa.DataFrameSchema
MAX_SHOWN = 50
_SEVERITY = dg.AssetCheckSeverity


@dataclass(frozen=True)
class Findings:
    """Everything that a check found, at most ``MAX_SHOWN`` shown in full.

    Attributes
    ----------
    breaches
        What fails the check.
    n_checked
        How much was looked at.
    warnings
        What does not; a check that passes with some shows them.
    """

    breaches: list[str]
    n_checked: int
    warnings: Sequence[str] = ()

    def to_result(self) -> dg.AssetCheckResult:
        """Return the result that the UI shows: all breaches at once."""
        from adata_assets.share.base.readback import without_queries

        told = [without_queries(line) for line in (*self.breaches, *self.warnings)]
        n_breaches = len(self.breaches)
        shown = {"breaches": dg.MetadataValue.md(_list_lines(told[:n_breaches]))}
        if self.warnings:
            shown["warnings"] = dg.MetadataValue.md(_list_lines(told[n_breaches:]))
        return dg.AssetCheckResult(
            passed=not self.breaches,
            severity=_SEVERITY.WARN if told and not self.breaches else _SEVERITY.ERROR,
            metadata={"n_checked": self.n_checked, "n_breaches": n_breaches, **shown},
            description=told[0][:500] if told else "",
        )


def _list_lines(lines: Sequence[str]) -> str:
    return "\n".join(f"- {line}" for line in lines[:MAX_SHOWN]) or "none"


def find_schema_breaches(frames: Iterable[pd.DataFrame], schema: Schema) -> Findings:
    """Validate a table part by part; unique columns are compared over all of them."""
    breaches, n_rows = [], 0
    unique: dict[str, list[Any]] = {
        name: [] for name, column in columns_of(schema).items() if column.unique
    }
    for frame in frames:
        try:
            schema.validate(frame, lazy=True)
        except pandera.errors.SchemaErrors as errors:
            breaches += _describe(errors, n_rows)
        for name, seen in unique.items():
            if name in frame:
                # A column is a view that would keep the texts of the whole frame alive.
                seen.append(frame[name].copy())
        n_rows += len(frame)
    return Findings(breaches + list(_repeated(unique)), n_rows)


def columns_of(schema: Schema) -> dict[str, Any]:
    """Return the columns of a schema by name."""
    return (schema if isinstance(schema, pa.DataFrameSchema) else schema.to_schema()).columns


def _describe(errors: pandera.errors.SchemaErrors, first_row: int) -> list[str]:
    cases = errors.failure_cases
    return [
        f"row {first_row + int(case.index) if case.index == case.index and case.index is not None else '?'}, "
        f"{case.column}: {case.check} (found {case.failure_case!r})"
        for case in cases.itertuples(index=False)
    ]


def _repeated(unique: dict[str, list[pd.Series]]) -> Iterator[str]:
    import pandas as pd

    for name, parts in unique.items():
        whole = pd.concat(parts) if len(parts) > 1 else None
        if whole is not None and not whole.is_unique:
            repeated = whole[whole.duplicated()].unique()
            yield f"{name}: {len(repeated)} values occur in several row groups, e.g. {repeated[:3]}"
