"""What must be green before anything leaves the machine.

Belongs here: the state of blocking checks as the instance recorded it. What a check looks for is in
``checks``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import dagster as dg
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus

from adata_assets.errors import InputError


def find_red_checks(
    instance: dg.DagsterInstance, checks: Sequence[dg.AssetCheckKey]
) -> Iterator[tuple[dg.AssetCheckKey, str | None, str]]:
    """Yield key, partition and state of each check whose last execution did not pass.

    A check that passed on an older version of its asset did not pass; one that never ran is not
    known here.
    """
    passed = AssetCheckExecutionRecordStatus.SUCCEEDED
    for info in instance.event_log_storage.get_asset_check_partition_info(list(checks)):
        if not (info.is_current and info.latest_execution_status == passed):
            yield info.check_key, info.partition_key, str(info.latest_execution_status.value)


def require_green(instance: dg.DagsterInstance, checks: Sequence[dg.AssetCheckKey]) -> None:
    """Refuse to go on while a check is red, or was never run.

    Raises
    ------
    InputError
        Names every such check.
    """
    red = [
        f"{_name(key)}{f' [{part}]' if part else ''}"
        for key, part, _ in find_red_checks(instance, checks)
    ]
    known = instance.event_log_storage.get_asset_check_partition_info(list(checks))
    unknown = set(checks) - {info.check_key for info in known}
    red += [f"{_name(key)} (never ran)" for key in sorted(unknown)]
    if red:
        raise InputError(
            f"{len(red)} blocking checks are red: {'; '.join(red[:5])}: nothing is released before "
            "they pass"
        )


def _name(key: dg.AssetCheckKey) -> str:
    return f"{key.asset_key.to_user_string()}, {key.name}"
