"""What is transient is tried again within the run; what a person must mend is not.

Belongs here: which errors pass by themselves, how often and after how long the step runs again.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from adata_assets.assets.stage import tell
from adata_assets.automation import COMMAND_TAG
from adata_assets.hub.hub_repository import PassingError
from adata_assets.share.contract import ShareError, TransientError
from adata_assets.sources.contract import SourceChangedError, UnreachableError

# Each request was asked again for a minute or so before: these waits are for longer troubles.
POLICY = dg.RetryPolicy(
    max_retries=3, delay=30, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS
)


def is_passing(error: BaseException) -> bool:
    """Whether an error may be gone at the next try: an interrupted transfer, a server in trouble.

    Examples
    --------
    >>> is_passing(TransientError("status 503")), is_passing(ShareError("status 403"))
    (True, False)
    """
    if isinstance(error, ShareError):
        # The last of several tries in a row is told as the error of all of them.
        return isinstance(error, TransientError) or isinstance(error.__cause__, TransientError)
    return isinstance(error, PassingError | UnreachableError | SourceChangedError)


@contextmanager
def tried_again(
    context: dg.AssetExecutionContext | dg.OpExecutionContext,
) -> Iterator[None]:
    """Let the step run again, after a pause, when the block fails of something that passes.

    The command does not wait: who sits there sees the error at once, and calls it again.

    Raises
    ------
    dagster.RetryRequested
        While tries are left; afterwards the error itself, as any other error at once.
    """
    try:
        yield
    except (ShareError, PassingError, UnreachableError, SourceChangedError) as error:
        is_last = context.retry_number >= POLICY.max_retries or COMMAND_TAG in context.run.tags
        if is_last or not is_passing(error):
            raise
        wait_s = POLICY.calculate_delay(context.retry_number + 1)
        tell(context)(f"{error}; trying again in {wait_s:.0f} s")
        raise dg.RetryRequested(POLICY.max_retries, wait_s) from error
