"""Nothing asks the network for anything, unless a command is named for it."""

import subprocess
import sys

import pytest

GUARD = """
import socket, sys
from wsss.cli import main

def audit(event, arguments):
    if event in ("socket.getaddrinfo", "socket.gethostbyname", "urllib.Request"):
        raise SystemExit(f"asks the network: {event} {arguments}")
    if event in ("socket.connect", "socket.sendto"):
        connection, address = arguments[:2]
        inside = connection.family == socket.AF_UNIX or address[0] in ("127.0.0.1", "::1")
        if not inside:
            raise SystemExit(f"asks the network: {event} {address}")

sys.addaudithook(audit)
main()
"""


def guarded(*arguments):
    return subprocess.run(
        [sys.executable, "-c", GUARD, *map(str, arguments)],
        capture_output=True, text=True, timeout=600,
    )  # fmt: skip


@pytest.mark.slow
def test_a_table_is_reproduced_without_network(tmp_path):
    smoke = ("reproduce", "table2", "--profile", "smoke", "--compute", "all", "--workers", "1")
    done = guarded(*smoke, "--runs", tmp_path)
    assert done.returncode == 0, done.stderr
    assert "table2" in done.stdout


def test_the_guard_notices_who_asks(tmp_path, monkeypatch):
    monkeypatch.setenv("WSSS_WEIGHTS", str(tmp_path))
    done = guarded("weights", "fetch", "vgg16")
    assert done.returncode != 0
    assert "asks the network: socket." in done.stderr
