"""A client of the Hub that dies at a request, or gets wrong answers to some."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import httpx2
from huggingface_hub import set_client_factory


class Killed(BaseException):
    """The process ended here: nothing in the package may catch it."""


@dataclass
class Fault:
    """What happens to requests whose method and path contain ``match``.

    Attributes
    ----------
    status
        Answered instead; 0: the connection breaks.
    arrives
        Whether the Hub gets the request all the same, so that only its answer is lost.
    times
        How often it happens.
    """

    match: str
    status: int = 0
    arrives: bool = False
    times: int = 1
    headers: dict[str, str] = field(default_factory=dict)


class FaultyTransport(httpx2.HTTPTransport):
    """Counts requests; dies at the one of number ``kill_at``, before or after it was answered.

    ``look`` is called at both of these moments of every request.
    """

    def __init__(
        self,
        *,
        kill_at: int = 0,
        after: bool = False,
        faults: list[Fault] | None = None,
        look: Callable[[], None] = lambda: None,
    ) -> None:
        # Loading certificates for each of hundreds of clients would be most of the time.
        super().__init__(verify=False)
        self.n_requests, self._kill_at, self._after = 0, kill_at, after
        self._faults, self._lock, self._look = faults or [], threading.Lock(), look

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send a request, unless something happens to it."""
        with self._lock:
            self.n_requests += 1
            number = self.n_requests
            self._look()
        # A dead process sends nothing more, whichever of its threads was hit.
        if self._kill_at and (
            number > self._kill_at or (number == self._kill_at and not self._after)
        ):
            raise Killed
        fault = self._next_fault(f"{request.method} {request.url.path}")
        if fault and not fault.arrives:
            return self._answer(fault, request)
        response = super().handle_request(request)
        with self._lock:
            self._look()
        if number == self._kill_at:
            response.close()
            raise Killed
        if fault:
            response.close()
            return self._answer(fault, request)
        return response

    def _next_fault(self, place: str) -> Fault | None:
        with self._lock:
            for fault in self._faults:
                if fault.times and all(word in place for word in fault.match.split(" ")):
                    fault.times -= 1
                    return fault
        return None

    def _answer(self, fault: Fault, request: httpx2.Request) -> httpx2.Response:
        if not fault.status:
            raise httpx2.ReadError("connection broken", request=request)
        return httpx2.Response(fault.status, headers=fault.headers, request=request)

    def install(self) -> None:
        """Let the Hub's client use it from now on."""
        set_client_factory(lambda: httpx2.Client(transport=self, follow_redirects=True))
