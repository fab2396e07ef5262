"""When things run by themselves: one condition for every asset, one sensor.

Belongs here: conditions and the sensor that evaluates them. What runs is in ``assets``.
"""

from __future__ import annotations

import dagster as dg

SENSOR_INTERVAL_S = 5


def settled() -> dg.AutomationCondition:
    """Run an asset when its inputs are new and nothing upstream of them is still to come.

    Stock ``eager()`` starts downstream of a fast model while a slow one is still being fitted, and
    a collector over chunks of two generations. Here an asset waits until no input, and no input of
    an input, is missing, in progress, failed or older than its own inputs: each asset and
    partition runs exactly once per refresh.
    """
    condition = dg.AutomationCondition
    out_of_date = condition.any_deps_updated().since(condition.newly_updated())
    return (
        (condition.newly_missing() | condition.any_deps_updated()).since_last_handled()
        & ~condition.any_deps_missing()
        & ~condition.any_deps_in_progress()
        & ~condition.any_deps_match(condition.execution_failed())
        & condition.all_deps_blocking_checks_passed()
        & ~condition.in_progress()
        & ~condition.any_deps_match(out_of_date)
        & ~condition.any_deps_match(condition.any_deps_match(out_of_date))
        & ~condition.any_deps_match(condition.any_deps_in_progress())
    ).with_label("settled")


def build_sensor() -> dg.AutomationConditionSensorDefinition:
    """Return the running sensor that evaluates all conditions, sources included."""
    return dg.AutomationConditionSensorDefinition(
        "settled_assets",
        target=dg.AssetSelection.all(include_sources=True),
        default_status=dg.DefaultSensorStatus.RUNNING,
        minimum_interval_seconds=SENSOR_INTERVAL_S,
        emit_backfills=False,
    )
