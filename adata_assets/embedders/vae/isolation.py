"""What a training changes outside of itself, put back: random states, environment, log levels.

Belongs here: side effects of scvi-tools, lightning and torch.
"""

from __future__ import annotations

import io
import logging
import os
import random
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout

import numpy as np

_LIGHTNING = "lightning"


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed what scvi-tools draws from; put every state back afterwards.

    Parameters
    ----------
    seed
        ``scvi.settings.seed``: of torch, numpy and ``random``, and of the cells held back for
        early stopping.
    """
    import scvi
    import torch

    states = random.getstate(), np.random.get_state()
    cudnn = torch.backends.cudnn
    flags, environment, before = (cudnn.deterministic, cudnn.benchmark), dict(os.environ), _seed()
    devices = range(torch.cuda.device_count())
    with torch.random.fork_rng(devices):
        try:
            scvi.settings.seed = seed
            yield
        finally:
            scvi.settings.seed = before
            _restore(environment)
            cudnn.deterministic, cudnn.benchmark = flags
            random.setstate(states[0])
            np.random.set_state(states[1])


@contextmanager
def quiet() -> Iterator[None]:
    """Keep lightning's announcements about itself out of the output, the log and the warnings."""
    loggers = [
        logging.getLogger(name)
        for name in [_LIGHTNING, *logging.root.manager.loggerDict]
        if name.split(".")[0] == _LIGHTNING
    ]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
        warnings.filterwarnings("ignore", module=r"(lightning|scvi)\.")
        for logger in loggers:
            logger.setLevel(logging.WARNING)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)


def _restore(environment: dict[str, str]) -> None:
    for name in set(os.environ) - set(environment):
        del os.environ[name]
    for name, value in environment.items():
        if os.environ.get(name) != value:
            os.environ[name] = value


def _seed() -> int | None:
    import scvi

    return scvi.settings.seed
