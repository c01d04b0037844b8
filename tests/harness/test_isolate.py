"""Whatever a worker does, the harness gets an outcome that says so, and goes on with the next model."""

import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from opconform.harness import registry, wire
from opconform.harness.flatmodel import Graph, Node, TensorDef, write_model
from opconform.harness.isolate import Executor, InProcess, Isolated, Limits, connect
from opconform.harness.model import Array, Crashed, Declined, Infra, Produced, Rejected, TimedOut
from opconform.harness.pipes import ForkServer, Pipes, Program, describe_status
from opconform.harness.runtime import Unavailable
from opconform.runtimes.litert import LiteRT

FAKES = Path(__file__).parents[1] / "fakes"
QUICK = Limits(hello=20, open=5, run=0.2, idle=2.0)
A = np.arange(6, dtype=np.float32).reshape(2, 3)


def add_model(shape: tuple[int, ...] = (2, 3)) -> bytes:
    tensors = tuple(TensorDef(name, "float32", shape) for name in "aby")
    return write_model([Graph(tensors, (Node("ADD", (0, 1), (2,)),), (0, 1), (2,))])


ADD = add_model()


def fake(name: str) -> Executor:
    return connect(registry.resolve(f"{FAKES / 'fakes.py'}:{name}"), QUICK)


def rude(manner: str) -> Executor:
    return connect(registry.resolve(f"exec:{sys.executable} -S {FAKES / 'rude.py'} {manner}"), QUICK)


@pytest.fixture(scope="module")
def litert() -> Iterator[Executor]:
    executor = connect(registry.resolve("litert"))
    yield executor
    executor.close()


def produced(outcome: object) -> list[Array]:
    assert isinstance(outcome, Produced), outcome
    return [outputs[0] for outputs in outcome.outputs]


def test_every_vector_gets_its_own_answer_in_order(litert: Executor) -> None:
    vectors = [(A, np.full_like(A, index)) for index in range(300)]
    for index, output in enumerate(produced(litert.execute(ADD, vectors))):
        assert np.array_equal(output, A + index)


def test_vectors_larger_than_any_pipe_do_not_lock_up(litert: Executor) -> None:
    big = np.ones((600, 1000), np.float32)
    outputs = produced(litert.execute(add_model((600, 1000)), [(big, big)] * 5))
    assert all(output.sum() == 1_200_000 for output in outputs)


def test_an_open_model_can_be_run_again(litert: Executor) -> None:
    litert.execute(ADD, [])
    assert np.array_equal(produced(litert.run([(A, A)]))[0], A + A)


def test_what_the_runtime_refuses_is_an_outcome_and_the_next_model_runs(litert: Executor) -> None:
    assert isinstance(litert.execute(ADD[:100], [(A, A)]), Rejected)
    assert isinstance(litert.run([(A, A)]), Infra)
    assert isinstance(litert.execute(ADD, [(A,)]), Rejected)
    assert isinstance(litert.execute(ADD, [(A, A)]), Produced)


def test_a_model_beyond_the_largest_frame_is_declined_with_both_sizes(litert: Executor) -> None:
    outcome = litert.execute(bytes(wire.MAX_PAYLOAD + 1), [])
    assert outcome == Declined("OPEN of 16777217 bytes, the worker takes 16777216")


def test_a_signal_is_a_crash_that_names_it_with_the_last_words() -> None:
    executor = fake("crashes_at_open")
    assert executor.execute(ADD, [(A, A)]) == Crashed("SIGABRT during OPEN: kernel.cc:7: check failed")
    executor.close()


def test_a_crash_while_running_names_the_vector_and_the_worker_is_back_at_once() -> None:
    executor = fake("crashes")
    assert executor.execute(ADD, [(A, A)]) == Crashed("SIGSEGV during RUN of vector 0")
    started = time.monotonic()
    for _ in range(5):
        assert isinstance(executor.execute(ADD, [(A, A)] * 3), Crashed)
    assert time.monotonic() - started < 10  # far below 5 times an import; typically 0.1 s
    assert isinstance(executor.execute(ADD, []), Produced)
    executor.close()


def test_a_runtime_that_returns_no_session_is_told_so() -> None:
    executor = fake("OpensNothing")
    crashed = executor.execute(ADD, [(A, A)])
    assert isinstance(crashed, Crashed)
    assert "during OPEN: TypeError: open() returned None, a session is needed" in crashed.detail
    executor.close()


@pytest.mark.parametrize("name", ["hangs", "sleeps"])
def test_no_answer_is_a_timeout_and_the_worker_is_back(name: str) -> None:
    executor = fake(name)
    executor.execute(ADD, [])
    started = time.monotonic()
    assert executor.execute(ADD, [(A, A)]) == TimedOut(0.2)
    assert time.monotonic() - started < 20
    assert isinstance(executor.execute(ADD, []), Produced)
    executor.close()


@pytest.mark.parametrize(
    ("name", "outcome"),
    [
        ("exits", Crashed("exited with status 3 during RUN of vector 0")),
        ("declines", Declined("this runtime supports nothing")),
        ("lies_about_support", Declined("ADD is not supported")),
    ],
)
def test_the_fake_has_its_outcome(name: str, outcome: object) -> None:
    executor = fake(name)
    assert executor.execute(ADD, [(A, A)]) == outcome
    executor.close()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("raises", "internal error during RUN of vector 0: ZeroDivisionError: division by zero (fakes.py:"),
        ("oversized", "RESULT of 17825808 bytes, a frame holds 16777216"),
        ("unsendable_dtype", "tensor of dtype complex128, allowed are float32"),
    ],
)
def test_an_error_inside_the_adapter_is_a_crash_that_says_where(name: str, words: str) -> None:
    executor = fake(name)
    outcome = executor.execute(ADD, [(A, A)])
    assert isinstance(outcome, Crashed)
    assert words in outcome.detail
    executor.close()


def test_after_an_error_inside_the_adapter_a_fresh_worker_takes_the_next_model() -> None:
    executor = fake("raises")
    assert isinstance(executor.execute(ADD, [(A, A)]), Crashed)
    assert executor.run([(A, A)]) == Infra("no model is open")
    assert isinstance(executor.execute(ADD, []), Produced)
    executor.close()


def test_prints_of_a_runtime_and_of_its_native_code_do_not_reach_the_wire() -> None:
    executor = fake("prints_to_stdout")
    assert len(produced(executor.execute(ADD, [(A, A)] * 50))) == 50
    executor.close()


def test_wrong_shapes_and_dtypes_pass_through_for_the_judge() -> None:
    for name, want in (("wrong_shape", (np.float32, (1, 2, 3))), ("wrong_dtype", (np.float64, (2, 3)))):
        executor = fake(name)
        output = produced(executor.execute(ADD, [(A, A)]))[0]
        assert (output.dtype, output.shape) == want
        executor.close()


@pytest.mark.parametrize(
    ("manner", "words"),
    [
        ("garbage", "no frame begins with b'Segmentation'"),
        ("crc", "CRC is"),
        ("sequence", "was answered with sequence"),
        ("kind", "RUN was answered with CLOSED"),
        ("huge", "2147483647 bytes of payload, 16777216 are allowed"),
        ("version", "version 2, 1 is allowed"),
        ("count", "RESULT with 2 tensors, OPENED said 1"),
        ("tensor", "RESULT tensor 0 has 4 bytes"),
    ],
)
def test_a_program_that_breaks_the_wire_is_infra_with_one_clear_line_and_starts_afresh(manner: str, words: str) -> None:
    executor = rude(manner)
    for _ in range(2):
        outcome = executor.execute(b"", [(A,)])
        assert isinstance(outcome, Infra)
        assert words in outcome.detail
        assert outcome.detail.startswith("RUN of vector 0: ")
        assert "\n" not in outcome.detail
    executor.close()


def test_a_program_that_stops_inside_a_frame_is_a_crash_that_says_so() -> None:
    executor = rude("torn")
    want = Crashed("exited with status 7, inside a frame after 25 bytes of it during RUN of vector 0")
    assert executor.execute(b"", [(A,)]) == want
    executor.close()


def test_a_program_that_fills_stderr_is_not_held_up() -> None:
    executor = rude("chatty")
    assert len(produced(executor.execute(b"", [(A,)] * 20))) == 20
    executor.close()


def test_what_was_said_of_one_model_does_not_explain_the_death_of_the_next() -> None:
    executor = rude("stale")
    assert isinstance(executor.execute(b"say", []), Produced)
    assert executor.execute(b"", [(A,)]) == Crashed("exited with status 7 during RUN of vector 0")
    assert executor.execute(b"say", [(A,)]) == Crashed(
        "exited with status 7 during RUN of vector 0: words about the first model"
    )
    executor.close()


def test_a_fault_shows_its_registers() -> None:
    executor = rude("fault")
    detail = (
        "BusFault (lr=0x00000101 pc=0x00000204 cfsr=0x00008200 bfar=0x00000020) during RUN of vector 0: load from 0x20"
    )
    assert executor.execute(b"", [(A,)]) == Crashed(detail)
    executor.close()


def test_an_endless_loop_that_the_worker_stops_itself_is_a_timeout() -> None:
    executor = rude("budget")
    assert executor.execute(b"", [(A,)]) == TimedOut(0.2)
    executor.close()


@pytest.mark.parametrize(
    ("manner", "words"),
    [("dies", "exited with status 1: rude: no such device"), ("closes", "the worker ended before it was ready")],
)
def test_a_program_that_ends_before_it_is_ready_is_infra_with_its_own_words(manner: str, words: str) -> None:
    executor = rude(manner)
    outcome = executor.execute(b"", [])
    assert isinstance(outcome, Infra)
    assert words in outcome.detail
    executor.close()


def test_a_command_that_cannot_be_executed_is_infra() -> None:
    executor = Isolated(Pipes(Program(["/nonexistent/worker"])))
    assert executor.execute(b"", []) == Infra("/nonexistent/worker: No such file or directory")


def test_a_runtime_whose_module_cannot_be_imported_is_one_line(tmp_path: Path) -> None:
    file = tmp_path / "broken.py"
    file.write_text("import no_such_module\n")
    with pytest.raises(Unavailable, match=r"cannot be imported: ModuleNotFoundError: No module named 'no_such_module'"):
        registry.resolve(f"{file}:Broken")


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def gone(pid: int, seconds: float = 20) -> bool:
    end = time.monotonic() + seconds
    while alive(pid) and time.monotonic() < end:
        time.sleep(0.01)
    return not alive(pid)


def test_no_worker_outlives_a_harness_that_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "harness.py"
    (tmp_path / "add.tflite").write_bytes(ADD)
    script.write_text(
        "import pathlib, sys\n"
        "import numpy as np\n"
        "from opconform.harness.isolate import Isolated, Limits\n"
        "from opconform.harness.pipes import ForkServer, Pipes\n"
        f"pipes = Pipes(ForkServer('{FAKES}/fakes.py:hangs'))\n"
        "executor, zeros = Isolated(pipes, Limits(run=100)), np.zeros((2, 3), np.float32)\n"
        f"model = pathlib.Path('{tmp_path}/add.tflite').read_bytes()\n"
        "executor.open_only(model)\n"
        "print(pipes._child.pid, flush=True)\n"
        "executor.execute(model, [(zeros, zeros)])\n"
    )
    reader, writer = os.pipe()
    harness = os.posix_spawn(
        sys.executable, [sys.executable, str(script)], os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, writer, 1)]
    )
    os.close(writer)
    with os.fdopen(reader) as file:
        worker = int(file.readline())
    spinning = time.clock_gettime(~worker << 3 | 2) + 0.1
    while time.clock_gettime(~worker << 3 | 2) < spinning:
        time.sleep(0.01)
    os.kill(harness, signal.SIGKILL)
    os.waitpid(harness, 0)
    assert gone(worker)


def test_executors_do_not_leak_descriptors() -> None:
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        executor = fake("crashes")
        for _ in range(3):
            executor.execute(ADD, [(A, A)])
        executor.close()
    assert len(os.listdir("/proc/self/fd")) <= before


def test_a_runtime_in_this_process_gives_the_same_outcomes() -> None:
    executor = InProcess(LiteRT("ref"))
    assert np.array_equal(produced(executor.execute(ADD, [(A, A)]))[0], A + A)
    assert isinstance(executor.execute(ADD[:100], []), Rejected)
    assert isinstance(executor.run([(A, A)]), Infra)
    executor.close()


def test_a_wait_status_is_said_in_words() -> None:
    assert describe_status(int(signal.SIGBUS)) == "SIGBUS"
    assert describe_status(3 << 8) == "exited with status 3"


def test_a_fork_server_that_is_killed_is_replaced() -> None:
    nursery = ForkServer("litert")
    pipes = Pipes(nursery)
    executor = Isolated(pipes)
    assert isinstance(executor.execute(ADD, [(A, A)]), Produced)
    assert nursery._server is not None
    assert pipes._child is not None
    os.kill(nursery._server[0].pid, signal.SIGKILL)
    assert gone(pipes._child.pid)  # Linux kills it with its parent
    assert isinstance(executor.execute(ADD, [(A, A)]), Crashed)
    assert isinstance(executor.execute(ADD, [(A, A)]), Produced)
    executor.close()


def test_the_reference_cannot_be_connected_to() -> None:
    with pytest.raises(Unavailable, match="reference@host opens no models"):
        connect(registry.resolve("reference"))
