"""Publishers that are real processes, to be killed from outside: forked, since imports take seconds.

Run as ``python -m …``. A line of JSON with ``verb``, a function of `faulty_story`, and ``folder``
begins one and is answered by its process id; any other line is answered by how it ended, 0 or the
negative signal.
"""

from __future__ import annotations

import json
import os
import sys

# Beforehand what publishing imports on its way.
import huggingface_hub.hf_api  # noqa: F401
import pyarrow.parquet  # noqa: F401

from adata_assets_tests.hub import faulty_story
from adata_assets_tests.hub.faulty_client import FaultyTransport

_OPTIONS = {"publish": {"tag": "v-new", "waits_s": (0.05,) * 4}, "publish_in_parts": {}}


def _begin(verb: str, folder: str) -> int:
    pid = os.fork()
    if pid:
        return pid
    answer = getattr(faulty_story, verb)(folder, FaultyTransport(), **_OPTIONS[verb]) or {}
    print(answer.get("error", ""), file=sys.stderr, flush=True)
    os._exit("error" in answer)


def _serve() -> None:
    pid = 0
    for line in sys.stdin:
        if line.strip():
            print(pid := _begin(**json.loads(line)), flush=True)
        else:
            print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)


if __name__ == "__main__":
    _serve()
