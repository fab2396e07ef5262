"""When things run by themselves: one condition for every asset, one sensor.

Belongs here: conditions and the sensor that evaluates them. What runs is in ``assets``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from operator import or_

import dagster as dg

# Dagster looks every 5 s; an interval of 5 s would miss every other look by a hair.
SENSOR_INTERVAL_S = 3
# On every run of the command, which brings up to date what is downstream of it by itself.
COMMAND_TAG = "adata_assets/command"


def automate(
    assets: Sequence[dg.AssetsDefinition], beside: Mapping[dg.AssetKey, Sequence[dg.AssetKey]]
) -> list[dg.AssetsDefinition]:
    """Return the assets of a dataset, each with its condition; sources keep what they have.

    Parameters
    ----------
    beside
        By asset what must not be at work meanwhile although it is not upstream.
    """
    specs = [spec for asset in assets if asset.is_materializable for spec in asset.specs]
    sources = {key for asset in assets if not asset.is_materializable for key in asset.keys}
    inputs = {
        spec.key: [dep.asset_key for dep in spec.deps if dep.asset_key not in sources]
        for spec in specs
    }

    def with_condition(spec: dg.AssetSpec) -> dg.AssetSpec:
        condition = settled(find_ancestors(spec.key, inputs), beside.get(spec.key, ()))
        return spec.replace_attributes(automation_condition=condition)

    return [
        asset.map_asset_specs(with_condition) if asset.is_materializable else asset
        for asset in assets
    ]


def find_ancestors(
    key: dg.AssetKey, inputs: Mapping[dg.AssetKey, Sequence[dg.AssetKey]]
) -> list[dg.AssetKey]:
    """Return all that is upstream of an asset, each once; of other datasets only direct inputs.

    Examples
    --------
    >>> a, b, c = map(dg.AssetKey, "abc")
    >>> [found.to_user_string() for found in find_ancestors(c, {c: [b, a], b: [a], a: []})]
    ['a', 'b']
    """
    found: set[dg.AssetKey] = set()
    left = list(inputs[key])
    while left:
        parent = left.pop()
        if parent not in found:
            found.add(parent)
            left += inputs.get(parent, ())
    return sorted(found)


def settled(
    ancestors: Sequence[dg.AssetKey], beside: Sequence[dg.AssetKey] = ()
) -> dg.AutomationCondition:
    """Run an asset when its inputs are new and nothing upstream of them is still to come.

    Stock ``eager()`` starts downstream of a fast model while a slow one is still being fitted, and
    a collector over chunks of two generations. Here an asset waits until no input is missing or
    failed, and no ancestor is in progress or older than its own inputs: each asset and partition
    runs exactly once per refresh. What is asked for in the same tick, and so runs before it in the
    same run, need not be waited for: one run makes the head, one run makes each chunk. What the
    command made starts nothing: the command finishes what it began.

    On a fresh instance nothing starts: what was missing at the first tick waits for its inputs.

    Parameters
    ----------
    ancestors
        All that is upstream, near and far. Each is looked at once: a condition that walks from
        inputs to their inputs sees most of them many times over, and Dagster stores every look.
    beside
        What is not upstream, but should not be at work meanwhile.
    """
    condition = dg.AutomationCondition
    # The first looks at an asset's last partition only, the second at nothing in the first tick.
    by_command: dg.AutomationCondition = condition.executed_with_tags(
        tag_keys={COMMAND_TAG}
    ) | condition.all_new_updates_have_run_tags(tag_keys={COMMAND_TAG})
    # By its label: conditions without fields are equal to one another, whatever their class.
    new_inputs: dg.AutomationCondition = condition.any_deps_updated().replace(
        "newly_updated_without_root",
        condition.newly_updated() & ~(condition.executed_with_root_target() | by_command),
    )
    # Checks run with their asset, before what depends on it.
    passed = condition.all_checks_match(condition.check_passed(), blocking_only=True)
    is_there = ~(condition.missing() | condition.execution_failed()) & passed
    looked_at = [
        *(condition.asset_matches(key, _still_to_come()) for key in ancestors),
        *(condition.asset_matches(key, _at_work()) for key in beside),
    ]
    # What failed waits for somebody: chunks of other runs could look like new inputs to it.
    handled = (
        condition.newly_requested()
        | condition.newly_updated()
        | condition.initial_evaluation()
        | condition.execution_failed().newly_true()
    ).with_label("handled")
    return (
        (condition.newly_missing() | new_inputs).since(handled)
        & condition.all_deps_match(is_there | condition.will_be_requested())
        & ~reduce(or_, looked_at, _at_work())
    ).with_label("settled")


def _at_work() -> dg.AutomationCondition:
    """In progress, or since the last tick no longer, with nothing new to see.

    A tick reads what is new first, and what is in progress about a second later: what a run makes
    in between is new in the next tick only.
    """
    in_progress = dg.AutomationCondition.in_progress()
    return in_progress | ((~in_progress).newly_true() & ~dg.AutomationCondition.newly_updated())


def _still_to_come() -> dg.AutomationCondition:
    """At work, or older than an input and not asked for in this tick.

    Dagster takes for asked for only what can be in one run with the asset that waits: while the
    head is, chunks are out of date for a collector.
    """
    condition = dg.AutomationCondition
    is_coming = condition.will_be_requested()
    newer_inputs = condition.any_deps_match(condition.newly_updated() | is_coming)
    out_of_date = newer_inputs.since(condition.newly_updated())
    return _at_work() | (out_of_date & ~is_coming)


def build_sensor() -> dg.AutomationConditionSensorDefinition:
    """Return the running sensor that evaluates all conditions, sources included."""
    return dg.AutomationConditionSensorDefinition(
        "settled_assets",
        target=dg.AssetSelection.all(include_sources=True),
        default_status=dg.DefaultSensorStatus.RUNNING,
        minimum_interval_seconds=SENSOR_INTERVAL_S,
        emit_backfills=False,
    )
