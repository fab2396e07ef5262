"""When things run by themselves: one condition for every asset, one sensor.

Belongs here: conditions and the sensor that evaluates them. What runs is in ``assets``.
"""

from __future__ import annotations

import dagster as dg

SENSOR_INTERVAL_S = 5
# On every run of the command, which brings up to date what is downstream of it by itself.
COMMAND_TAG = "adata_assets/command"


def settled() -> dg.AutomationCondition:
    """Run an asset when its inputs are new and nothing upstream of them is still to come.

    Stock ``eager()`` starts downstream of a fast model while a slow one is still being fitted, and
    a collector over chunks of two generations. Here an asset waits until no input, and no input of
    an input, is missing, in progress, failed or older than its own inputs: each asset and
    partition runs exactly once per refresh. What is asked for in the same tick, and so runs before
    it in the same run, need not be waited for: one run makes the head, one run makes each chunk.
    What the command made starts nothing: the command finishes what it began.

    On a fresh instance nothing starts: what was missing at the first tick waits for its inputs.
    """
    condition = dg.AutomationCondition
    by_command = condition.executed_with_tags(tag_keys={COMMAND_TAG})
    # By its label: conditions without fields are equal to one another, whatever their class.
    new_inputs = condition.any_deps_updated().replace(
        "newly_updated_without_root",
        condition.newly_updated() & ~condition.executed_with_root_target() & ~by_command,
    )
    is_coming = condition.will_be_requested()
    out_of_date = condition.any_deps_updated().since(condition.newly_updated()) & ~is_coming
    failed = condition.execution_failed() & ~is_coming
    # Checks run with their asset, before what depends on it.
    passed = condition.all_checks_match(condition.check_passed(), blocking_only=True) | is_coming
    return (
        (condition.newly_missing() | new_inputs).since_last_handled()
        & ~condition.any_deps_missing()
        & ~condition.any_deps_in_progress()
        & ~condition.any_deps_match(failed)
        & condition.all_deps_match(passed)
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
