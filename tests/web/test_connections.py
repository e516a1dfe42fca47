"""How many connections there may be, and how it ends while something is being computed."""

import resource
import signal
import threading
import time
from pathlib import Path

import pytest

from kakera.web.connections import LEAST, MOST, most_connections
from tests.web.runs import three_runs
from tests.web.siege import asked, connection, served


def test_connections_follow_the_limit_of_open_files(monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for files in (16, 200, 100_000, resource.RLIM_INFINITY):
        monkeypatch.setattr(resource, "getrlimit", lambda _, files=files: (files, files))
        found.append(most_connections())
    assert found[0] == LEAST
    assert LEAST < found[1] < 200
    assert found[2:] == [MOST, MOST]


def test_a_reader_that_does_not_read_and_a_computation_do_not_delay_the_end(tmp_path: Path) -> None:
    with served(three_runs(tmp_path)[:1]) as (process, port):
        held = connection(
            port, "GET /api/attention?model=mae&picture=sample-1&layer=1 HTTP/1.1\r\nHost: localhost\r\n\r\n"
        )
        body = b'{"model": "mae", "picture": "sample-1"}'
        client = threading.Thread(target=asked, args=(port, "POST", "/api/reconstruct", body))
        client.start()
        time.sleep(0.05)
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) in (0, 143)
        assert time.monotonic() - began < 3
        client.join()
        assert held is not None
        held.close()
