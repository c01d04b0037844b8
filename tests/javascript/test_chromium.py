"""The worker in headless Chromium: crashes of the tab, endless loops, and that nothing of it outlives a run."""

from __future__ import annotations

import os
import re
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import numpy as np
import pytest

from opconform.harness.isolate import Isolated, Limits
from opconform.harness.model import Crashed, Produced, Rejected, TimedOut
from opconform.targets.javascript.packages import package_folder

Launch = Callable[..., Isolated]
ONES = np.ones((2, 3), np.float32)
SPECIALS = np.array([[0.0, -0.0, np.nan], [np.inf, -np.inf, 1e-45]], np.float32)


def rooms() -> set[Path]:
    return set(Path(os.environ["TMPDIR"]).glob("opconform-chromium-*"))


def commands(room: Path) -> dict[int, str]:
    """Return the processes that work in a folder and their descendants, by id: renderers hide their environment."""
    found, parents = {}, {}
    for place in Path("/proc").glob("[0-9]*"):
        try:
            environment, command = (place / "environ").read_bytes(), (place / "cmdline").read_bytes()
            parents[int(place.name)] = parent_of(int(place.name))
        except OSError:  # it ended meanwhile
            continue
        if command:
            found[int(place.name)] = command.decode(errors="replace").replace("\0", " ")
        if str(room).encode() in environment + command:
            parents[int(place.name)] = 0
    return {process: command for process, command in found.items() if root_of(process, parents) == 0}


def root_of(process: int, parents: dict[int, int]) -> int:
    """Return 0 for a process whose parents lead to one that was marked with 0, else 1."""
    while process > 1:
        process = parents.get(process, 1)
    return process


def parent_of(process: int) -> int:
    found = re.search(r"^PPid:\s+(\d+)", Path(f"/proc/{process}/status").read_text(), re.MULTILINE)
    return int(found[1]) if found else 1


def wait_until(holds: Callable[[], bool], seconds: float = 20.0) -> bool:
    end = time.monotonic() + seconds
    while not holds() and time.monotonic() < end:
        time.sleep(0.05)
    return holds()


@pytest.fixture(autouse=True)
def own_temporary_folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Other tests start browsers too; the path is short, since Chromium puts sockets there."""
    with tempfile.TemporaryDirectory(prefix="oc-") as folder:
        monkeypatch.setenv("TMPDIR", folder)
        yield


@pytest.fixture
def before() -> set[Path]:
    return rooms()


@pytest.fixture
def listener() -> Iterator[tuple[str, list[str]]]:
    """A server on loopback: its address, and the paths that it was asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    server.server_close()


def test_tensors_come_back_from_a_page_bit_for_bit(in_chromium: Launch) -> None:
    large = np.arange(1_000_000, dtype=np.int32)
    outcome = in_chromium().execute(b"model", [[SPECIALS, np.array(True)], [large]])
    assert isinstance(outcome, Produced)
    assert outcome.outputs[0][0].tobytes() == SPECIALS.tobytes()
    assert outcome.outputs[0][1].dtype == np.bool_
    assert np.array_equal(outcome.outputs[1][0], large)


def test_a_tab_that_crashes_is_a_crash_and_the_next_case_runs(in_chromium: Launch, before: set[Path]) -> None:
    slow = "const end = performance.now() + 20; while (tensors.length > 1 || performance.now() < end); return tensors;"
    executor = in_chromium(run=slow)
    assert executor.greet() == ""
    room = (rooms() - before).pop()

    def crash() -> None:
        time.sleep(0.5)
        for process, command in commands(room).items():
            if "--type=renderer" in command:
                os.kill(process, signal.SIGSEGV)

    killer = threading.Thread(target=crash)
    killer.start()
    outcome = executor.execute(b"", [[ONES], [ONES, ONES]])
    killer.join()
    words = "the tab of Chromium crashed, here or a little later: its last answers are lost"
    assert outcome == Crashed(f"exited with status 1 during RUN of vector 1: {words}")
    assert isinstance(executor.execute(b"", [[ONES]]), Produced)
    assert wait_until(lambda: not room.exists())


def test_an_endless_loop_in_a_page_times_out_and_leaves_nothing(in_chromium: Launch, before: set[Path]) -> None:
    executor = in_chromium(Limits(run=0.3), run="while (tensors.length > 1); return tensors;")
    assert executor.greet() == ""
    room = (rooms() - before).pop()
    assert isinstance(executor.execute(b"", [[ONES, ONES]]), TimedOut)
    assert isinstance(executor.execute(b"", [[ONES]]), Produced)
    assert wait_until(lambda: not room.exists() and not commands(room))


def test_a_renewed_page_remembers_nothing_and_its_chromium_is_the_same(in_chromium: Launch, before: set[Path]) -> None:
    executor = in_chromium(
        run="globalThis.runs = (globalThis.runs ?? 0) + 1; return tensors.slice(globalThis.runs - 1);"
    )
    assert [len(outputs) for outputs in produced(executor, [[ONES, ONES]] * 3)] == [2, 1, 0]
    executor.renew()
    assert [len(outputs) for outputs in produced(executor, [[ONES, ONES]])] == [2]
    assert len(rooms() - before) == 1


def produced(executor: Isolated, vectors: list[list[np.ndarray]]) -> tuple[tuple[np.ndarray, ...], ...]:
    outcome = executor.execute(b"", vectors)
    assert isinstance(outcome, Produced), outcome
    return outcome.outputs


def test_a_closed_worker_leaves_no_process_and_no_folder(in_chromium: Launch, before: set[Path]) -> None:
    executor = in_chromium()
    assert executor.greet() == ""
    (room,) = rooms() - before
    assert any("--type=renderer" in command for command in commands(room).values())
    executor.close()
    assert not room.exists()
    assert commands(room) == {}


def test_a_worker_that_is_killed_leaves_no_process_and_no_folder(in_chromium: Launch, before: set[Path]) -> None:
    executor = in_chromium()
    assert executor.greet() == ""
    (room,) = rooms() - before
    driver = {parent_of(process) for process, command in commands(room).items() if "browser.sh" in command}.pop()
    os.kill(driver, signal.SIGKILL)
    assert wait_until(lambda: not room.exists() and not commands(room))


def test_chromium_listens_nowhere(in_chromium: Launch, before: set[Path]) -> None:
    assert in_chromium().greet() == ""
    (room,) = rooms() - before
    listening = {
        f"socket:[{fields[9]}]"
        for table in ("tcp", "tcp6")
        for fields in map(str.split, Path(f"/proc/net/{table}").read_text().splitlines()[1:])
        if fields[3] == "0A"
    }
    held = {link for process in commands(room) for link in links(process)}
    assert held
    assert not held & listening


def links(process: int) -> Iterator[str]:
    for descriptor in Path(f"/proc/{process}/fd").iterdir():
        try:
            yield os.readlink(descriptor)
        except OSError:  # closed meanwhile
            continue


def test_a_page_reaches_no_server_not_even_on_loopback(in_chromium: Launch, listener: tuple[str, list[str]]) -> None:
    address, asked = listener
    fetch = "return fetch('%s/x.json').then(() => tensors, () => {throw new WireError(INVALID_MODEL, 'no way out');});"
    executor = in_chromium(run=fetch % address)
    assert executor.execute(b"", [[ONES]]) == Rejected("no way out")
    assert asked == []


def test_a_page_reads_no_file_outside_its_folders(
    in_chromium: Launch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    secret = tmp_path_factory.mktemp("elsewhere") / "secret.json"
    secret.write_text("[1]")
    scripts = package_folder("targets", "javascript").resolve()
    around = f"{scripts}/{'..%2F' * len(scripts.parts)}{secret.relative_to('/')}"
    fetch = (
        "return Promise.any([fetch('%s'), fetch('%s')])"
        ".then(() => tensors, () => {throw new WireError(INVALID_MODEL, 'not there');});"
    )
    assert in_chromium(run=fetch % (secret, around)).execute(b"", [[ONES]]) == Rejected("not there")


def test_after_a_trap_of_webassembly_there_is_a_fresh_page_in_the_same_chromium(
    in_chromium: Launch, before: set[Path]
) -> None:
    trap = "if (tensors.length > 1) throw new WebAssembly.RuntimeError('out');"
    count = "globalThis.runs = (globalThis.runs ?? 0) + 1;"
    executor = in_chromium(run=f"{count} {trap} return tensors.slice(globalThis.runs - 1);")
    crash = executor.execute(b"", [[ONES, ONES], [ONES]])
    assert crash == Crashed("internal error during RUN of vector 0: RuntimeError: out")
    assert [len(outputs) for outputs in produced(executor, [[ONES]])] == [1]
    assert len(rooms() - before) == 1
