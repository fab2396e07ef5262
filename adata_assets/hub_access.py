"""Access to the Hugging Face Hub: the token, the form of a repository's name, what was answered.

Belongs here: what everybody needs who talks to the Hub. Does not belong here: what is released
(``hub``) or shared (``share``) there. The Hub's client is imported when it is needed.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from adata_assets.errors import InputError

TOKEN_VARIABLE = "HF_TOKEN"
# Where the Hub's client tells of each try, with the address that it asked.
CLIENT_LOGGER = "huggingface_hub.utils._http"


@dataclass(frozen=True)
class HubAnswer:
    """Why the Hub did not do what it was asked.

    Attributes
    ----------
    status
        HTTP status; None where nothing answered.
    reason
        In the Hub's words, or the kind of failure. Holds no address, which may be a signed one.
    retry_after
        The header, as it came.
    is_offline
        Whether the Hub's client was told not to ask at all.
    """

    status: int | None
    reason: str
    retry_after: str | None = None
    is_offline: bool = False


def is_repo_id(text: str) -> bool:
    """Whether a text is ``owner/name``, as the Hub takes it.

    Examples
    --------
    >>> is_repo_id("lab/cells-files"), is_repo_id("cells"), is_repo_id("lab/a--b")
    (True, False, False)
    """
    if re.fullmatch(r"[\w.-]+/[\w.-]+", text, re.ASCII) is None or text.endswith(".git"):
        return False
    return "--" not in text and ".." not in text


def require_token() -> str:
    """Return the token of the environment.

    Raises
    ------
    InputError
        If ``HF_TOKEN`` is not set, or holds what no token can be.
    """
    token = os.environ.get(TOKEN_VARIABLE, "").strip()
    # The client would repeat a token that cannot be sent in its error.
    if not re.fullmatch(r"[!-~]+", token):
        what = "holds characters that no token has" if token else "is not set"
        raise InputError(
            f"{TOKEN_VARIABLE} {what}: put a token with write access into the environment of the "
            "process that publishes"
        )
    return token


@contextmanager
def hub_errors(translate: Callable[[HubAnswer], Exception]) -> Iterator[None]:
    """Raise, for what the Hub answered, the error that ``translate`` makes of it.

    The chain is cut because the client's messages repeat addresses, signed ones among them; in its
    log they stand without their queries.
    """
    from huggingface_hub.errors import HTTPError, OfflineModeIsEnabled

    # Adding it again changes nothing.
    logging.getLogger(CLIENT_LOGGER).addFilter(_cut_queries)
    try:
        yield
    except (HTTPError, OfflineModeIsEnabled) as error:
        raise translate(read_answer(error)) from None
    except RuntimeError as error:
        # What was answered to one of several uploads comes wrapped.
        if not isinstance(error.__cause__, HTTPError):
            raise
        raise translate(read_answer(error.__cause__)) from None


def read_answer(error: Exception) -> HubAnswer:
    """Return what an error of the Hub's client says, without the addresses that it repeats."""
    from huggingface_hub.errors import OfflineModeIsEnabled

    response = getattr(error, "response", None)
    if response is None:
        return HubAnswer(
            None, type(error).__name__, is_offline=isinstance(error, OfflineModeIsEnabled)
        )
    reason = getattr(error, "server_message", None) or "no reason"
    return HubAnswer(response.status_code, reason, response.headers.get("Retry-After"))


def _cut_queries(record: logging.LogRecord) -> bool:
    record.msg, record.args = re.sub(r"\?\S+", "?…", record.getMessage()), ()
    return True
