"""PostgreSQL on loopback: a cluster of its own in a folder under the system's temporary one.

The server refuses to run as root; then it runs as the user that Debian's package made for it.
"""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adata_assets_tests.sockets import free_port

HOW_TO_INSTALL = (
    "no PostgreSQL server found; install it (Debian: apt-get install --no-install-recommends "
    "postgresql) and run: python -m pytest adata_assets_tests/automation"
)
# The documentation's names, and who makes them.
USER, DATABASE = "dagster", "dagster"
_ADMINISTRATOR = "administrator"
_SERVER_USER = "postgres"
_START_S, _STOP_S = 60, 20
# What a test writes need not survive the machine.
_SETTINGS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "shared_buffers": "16MB",
    "listen_addresses": "127.0.0.1",
}


def find_postgres() -> Path | None:
    """Return the folder of the newest installed server's programs."""
    debian = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda p: int(p.parts[-3])
    )
    found = shutil.which("postgres")
    programs = [*debian, *([Path(found)] if found else [])]
    return programs[-1].parent if programs else None


@dataclass(frozen=True)
class Postgres:
    """A running server.

    Attributes
    ----------
    environment
        What the ``dagster.yaml`` of the documentation reads.
    log
        The server's log.
    """

    port: int
    password: str
    log: Path

    @property
    def environment(self) -> dict[str, str]:
        """The variables that the page's ``dagster.yaml`` names."""
        return {
            "DAGSTER_POSTGRES_HOST": "127.0.0.1",
            "DAGSTER_POSTGRES_PORT": str(self.port),
            "DAGSTER_POSTGRES_PASSWORD": self.password,
        }

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query, beside the code under test."""
        return self._execute(query, DATABASE)

    def begin(self, statements: str) -> None:
        """Make user and database by the documentation's statements; what there was is dropped.

        Parameters
        ----------
        statements
            SQL with ``…`` for the password.
        """
        dropped = f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE); DROP USER IF EXISTS {USER}; "
        made = statements.replace("…", self.password)
        for statement in filter(str.strip, (dropped + made).split(";")):
            self._execute(statement, "postgres", _ADMINISTRATOR)

    def _execute(self, statement: str, database: str, user: str = USER) -> list[tuple[Any, ...]]:
        import psycopg2

        given = {"host": "127.0.0.1", "port": self.port, "user": user, "dbname": database}
        connection = psycopg2.connect(password=self.password, **given)
        # Databases are not made within a transaction.
        connection.autocommit = True
        try:
            with connection.cursor() as cursor:
                cursor.execute(statement)
                return list(cursor.fetchall()) if cursor.description else []
        finally:
            connection.close()


@contextmanager
def running_postgres() -> Iterator[Postgres]:
    """Run a fresh server while the block lasts.

    Its folder is not a test's own: those are closed to the user that the server runs as.
    """
    programs, identity = find_postgres(), _identity()
    assert programs is not None, HOW_TO_INSTALL
    folder = Path(tempfile.mkdtemp(prefix="postgres-"))
    try:
        if identity:
            os.chown(folder, identity["user"], identity["group"])
        server = Postgres(free_port(), secrets.token_hex(16), folder / "log")
        _initialise(programs, folder, server.password, identity)
        process = _start(programs, folder, server, identity)
        try:
            _wait(server, process)
            yield server
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(_STOP_S)
    finally:
        shutil.rmtree(folder)


def _identity() -> dict[str, Any]:
    if os.geteuid() != 0:
        return {}
    found = pwd.getpwnam(_SERVER_USER)
    return {"user": found.pw_uid, "group": found.pw_gid, "extra_groups": []}


def _initialise(programs: Path, folder: Path, password: str, identity: dict[str, Any]) -> None:
    given = folder / "password"
    given.write_text(password)
    options = ["--no-sync", f"--username={_ADMINISTRATOR}", f"--pwfile={given}", "--encoding=UTF8"]
    ran = subprocess.run(
        [programs / "initdb", *options, "--locale=C", "--auth=md5", "-D", folder / "data"],
        capture_output=True,
        text=True,
        cwd=folder,
        timeout=_START_S,
        check=False,
        **identity,
    )
    assert ran.returncode == 0, f"initdb: {ran.stdout}\n{ran.stderr}"


def _start(
    programs: Path, folder: Path, server: Postgres, identity: dict[str, Any]
) -> subprocess.Popen[bytes]:
    settings = {**_SETTINGS, "port": str(server.port), "unix_socket_directories": str(folder)}
    options = [f"--{name}={value}" for name, value in settings.items()]
    with server.log.open("wb") as log:
        return subprocess.Popen(
            [programs / "postgres", "-D", folder / "data", *options],
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=folder,
            start_new_session=True,
            **identity,
        )


def _wait(server: Postgres, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + _START_S
    while "ready to accept connections" not in server.log.read_text():
        is_late = process.poll() is not None or time.monotonic() > end
        assert not is_late, f"PostgreSQL did not start\n{server.log.read_text()[-3000:]}"
        time.sleep(0.05)
