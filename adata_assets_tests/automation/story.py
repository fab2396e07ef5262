"""A daemon in miniature: ticks the automation, executes what it requests, writes down what ran.

The stand-ins have keys, inputs, partitions, blocking checks and conditions of the real assets, so a
story takes seconds and is still about the real graph.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import dagster as dg
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.execution.api import execute_run

from adata_assets.artefact import name_of
from adata_assets.freshness import DATA_VERSION_TAG

# What the daemon writes on the runs that its conditions request.
AUTOMATION = {"dagster/from_automation_condition": "true"}
MAX_TICKS = 40
_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}

Body = Callable[[dg.AssetExecutionContext], None]


def imitate(real: dg.Definitions, body: Body) -> dg.Definitions:
    """Return the same graph with assets that only call ``body``, and checks that pass."""
    nodes = real.resolve_asset_graph().asset_nodes
    assets = [
        _stand_in(node.to_asset_spec(), node.check_keys, body)
        if node.is_materializable
        else _observable(node.to_asset_spec())
        for node in nodes
    ]
    return dg.Definitions(assets=assets, executor=dg.in_process_executor)


def _observable(spec: dg.AssetSpec) -> dg.AssetsDefinition:
    @dg.multi_observable_source_asset(specs=[spec], name="__".join(spec.key.path))
    def look() -> Iterator[dg.ObserveResult]:
        yield dg.ObserveResult(asset_key=spec.key)

    return look


def _stand_in(
    spec: dg.AssetSpec, check_keys: set[dg.AssetCheckKey], body: Body
) -> dg.AssetsDefinition:
    checks = [
        dg.AssetCheckSpec(
            key.name, asset=spec.key, blocking=True, partitions_def=spec.partitions_def
        )
        for key in sorted(check_keys)
    ]

    @dg.multi_asset(
        specs=[spec],
        check_specs=checks,
        name="__".join(spec.key.path),
        partitions_def=spec.partitions_def,
    )
    def stand_in(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        body(context)
        results = [dg.AssetCheckResult(passed=True, check_name=check.name) for check in checks]
        return dg.MaterializeResult(asset_key=spec.key, check_results=results)

    return stand_in


@dataclass
class Story:
    """Ticks and runs on one instance.

    Attributes
    ----------
    ran
        ``stage`` or ``stage@partition`` of every materialization, in the order they ended.
    requested
        Per tick, what the automation asked for.
    """

    defs: dg.Definitions
    instance: dg.DagsterInstance
    dataset_id: str
    cursor: object = None
    now: datetime = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
    queue: list[dg.DagsterRun] = field(default_factory=list)
    requested: list[list[str]] = field(default_factory=list)

    def key_of(self, stage: str) -> dg.AssetKey:
        """The key of a stage."""
        return dg.AssetKey([self.dataset_id, *stage.split("/")])

    def observe(self, version: str) -> None:
        """The scheduled look at the source finds this content."""
        tags = {DATA_VERSION_TAG: version}
        event = dg.AssetObservation(asset_key=self.key_of("source"), tags=tags)
        self.instance.report_runless_asset_event(event)

    def tick(self) -> list[str]:
        """Evaluate once and start what is requested; return its names."""
        self.now += timedelta(seconds=5)
        result = dg.evaluate_automation_conditions(
            self.defs, self.instance, cursor=self.cursor, evaluation_time=self.now
        )
        self.cursor = result.cursor
        runs: dict[str | None, list[str]] = defaultdict(list)
        for key in self.defs.resolve_asset_graph().materializable_asset_keys:
            for partition in sorted(result.get_requested_partitions(key), key=str):
                runs[partition].append("/".join(key.path[1:]))
        for partition, stages in runs.items():
            self.start(stages, partition)
        self.requested.append(sorted(name_of(s, p) for p, stages in runs.items() for s in stages))
        return self.requested[-1]

    def start(
        self,
        stages: Iterable[str],
        partition: str | None = None,
        tags: Mapping[str, str] = AUTOMATION,
    ) -> dg.DagsterRun:
        """Queue a run, as the daemon does: from now on it is in progress."""
        keys = {self.key_of(stage) for stage in stages}
        job = self.defs.resolve_implicit_global_asset_job_def()
        run = self.instance.create_run_for_job(
            job.get_subset(asset_selection=keys),
            asset_selection=keys,
            status=dg.DagsterRunStatus.STARTING,
            tags={**tags, **({"dagster/partition": partition} if partition else {})},
            run_config=_QUIET,
        )
        self.queue.append(run)
        return run

    def finish(self, run: dg.DagsterRun) -> bool:
        """Execute a queued run."""
        self.queue.remove(run)
        job = InMemoryJob(self.defs.resolve_implicit_global_asset_job_def())
        return execute_run(job, run, self.instance).success

    def settle(self, *, runs_per_tick: int | None = None) -> None:
        """Tick, and finish runs after each tick, until nothing runs or is asked for twice in a row.

        Parameters
        ----------
        runs_per_tick
            How many runs end between two ticks, the others go on; None: all.
        """
        n_quiet = 0
        for _ in range(MAX_TICKS):
            n_quiet = 0 if self.tick() or self.queue else n_quiet + 1
            if n_quiet == 2:
                return
            for run in self.queue[:runs_per_tick]:
                self.finish(run)
        raise AssertionError(f"not settled after {MAX_TICKS} ticks: {self.requested[-5:]}")

    def ran(self) -> Counter[str]:
        """How often each asset and partition was materialized on this instance."""
        found: Counter[str] = Counter()
        for key in self.defs.resolve_asset_graph().materializable_asset_keys:
            records = self.instance.fetch_materializations(key, limit=500).records
            found.update(_name(key, record.partition_key) for record in records)
        return found


def _name(key: dg.AssetKey, partition: str | None) -> str:
    return name_of("/".join(key.path[1:]), partition)
