"""What passes by itself is tried again within the run; what a person must mend fails at once."""

import dagster as dg
import pytest

from adata_assets.assets import retries
from adata_assets.assets.retries import tried_again
from adata_assets.automation import COMMAND_TAG
from adata_assets.errors import InputError
from adata_assets.hub.hub_repository import PassingError, PublishError
from adata_assets.share.base.retry import with_retries
from adata_assets.share.contract import ShareError, TransientError
from adata_assets.sources.contract import SourceChangedError, UnreachableError
from adata_assets.sources.raw import require_sha256

QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


@pytest.fixture(autouse=True)
def _no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    policy = dg.RetryPolicy(max_retries=retries.POLICY.max_retries, delay=0)
    monkeypatch.setattr(retries, "POLICY", policy)


def run(error: Exception, n_failures: int, **tags: str) -> tuple[dg.ExecuteInProcessResult, int]:
    """Run a step that fails so many times; return how often it ran."""
    tries = []

    @dg.asset(key=["cells", "share_links"])
    def share_links(context: dg.AssetExecutionContext) -> None:
        with tried_again(context):
            tries.append(context.retry_number)
            if len(tries) <= n_failures:
                raise error

    job = dg.Definitions(
        assets=[share_links], executor=dg.in_process_executor
    ).resolve_implicit_global_asset_job_def()
    result = job.execute_in_process(raise_on_error=False, run_config=QUIET, tags=tags)
    assert tries == list(range(len(tries)))
    return result, len(tries)


def after_six_tries() -> ShareError:
    def ask() -> None:
        raise TransientError("status 503", retry_after_s=0)

    with pytest.raises(ShareError) as caught:
        with_retries(ask)
    return caught.value


def another_sha256() -> InputError:
    with pytest.raises(InputError) as caught:
        require_sha256("cells.h5ad", "ab" * 32, "0" * 64)
    return caught.value


PASSING = [
    UnreachableError("no answer"),
    SourceChangedError("changed while it was read"),
    PassingError("412"),
    TransientError("status 503"),
    after_six_tries(),
]
LASTING = [
    InputError("no column"),
    another_sha256(),
    ShareError("status 403"),
    PublishError("other bytes"),
    OSError("disk full"),
]


@pytest.mark.parametrize("error", PASSING, ids=lambda error: str(error)[:9])
def test_what_passes_is_tried_again(error):
    result, n_tries = run(error, 2)
    assert (result.success, n_tries) == (True, 3)


@pytest.mark.parametrize("error", LASTING, ids=lambda error: str(error)[:9])
def test_what_does_not_pass_fails_at_once(error):
    result, n_tries = run(error, 1)
    assert (result.success, n_tries) == (False, 1)


def test_in_the_end_the_error_itself_is_told():
    result, n_tries = run(TransientError("status 503"), 9)
    assert (result.success, n_tries) == (False, 1 + retries.POLICY.max_retries)
    [failed] = [event for event in result.all_events if event.is_step_failure]
    assert failed.step_failure_data.error.cause.message.endswith("TransientError: status 503\n")


def test_the_command_does_not_wait():
    result, n_tries = run(TransientError("status 503"), 1, **{COMMAND_TAG: "true"})
    assert (result.success, n_tries) == (False, 1)


def test_waits_grow_and_differ():
    policy = dg.RetryPolicy(3, 30, dg.Backoff.EXPONENTIAL, dg.Jitter.PLUS_MINUS)
    waits = [[policy.calculate_delay(attempt) for _ in range(50)] for attempt in (1, 2, 3)]
    assert all(len(set(found)) > 1 for found in waits)
    means = [sum(found) / len(found) for found in waits]
    assert means[0] < means[1] < means[2]
