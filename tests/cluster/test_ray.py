"""Runs on a Ray cluster of two local nodes: the log of one machine, also when a worker or a node is killed."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

ray = pytest.importorskip("ray", reason="Ray is not installed: tox -e ray")
cluster_utils = pytest.importorskip("ray.cluster_utils")

from opconform.harness import crew_ray  # noqa: E402
from opconform.harness.crew import WorkerLost  # noqa: E402
from opconform.harness.crew_ray import distributed  # noqa: E402
from opconform.harness.runner import Selection, run  # noqa: E402
from opconform.harness.runtime import Unavailable  # noqa: E402

PAIRS = [("OP", str(number)) for number in range(12)]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    nodes = cluster_utils.Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    nodes.add_node(num_cpus=1)
    nodes.wait_for_nodes()
    ray.init(address=nodes.address, log_to_driver=False)
    yield nodes
    ray.shutdown()
    nodes.shutdown()


class Paper:
    """A bench that notes where it worked, and dies or fails on request."""

    def __init__(self, notes: Path, dies: str = "", always: bool = False) -> None:
        self.notes, self.dies, self.always = notes, dies, always

    def unit(self, op: str, row: str) -> list[dict[str, Any]]:
        if row == self.dies:
            first = not self.notes.exists()
            self.notes.write_text("died")
            if first or self.always:
                os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(0.05)
        where = ray.get_runtime_context().get_node_id()
        return [{"kind": "coverage", "op": op, "row": row, "node": where}]

    def close(self) -> None:
        """Nothing to stop."""


class Maker:
    """Makes papers in the worker."""

    def __init__(self, *arguments: Any) -> None:
        self.arguments = arguments

    def __call__(self) -> Paper:
        return Paper(*self.arguments)


def test_rows_come_in_order_from_both_nodes(cluster: Any, tmp_path: Path) -> None:
    found = [line for lines in distributed(PAIRS, Maker(tmp_path / "notes"), 2, cluster.address) for line in lines]
    assert [line["row"] for line in found] == [row for _, row in PAIRS]
    assert len({line["node"] for line in found}) == 2


def test_a_row_whose_worker_is_killed_runs_again(cluster: Any, tmp_path: Path) -> None:
    found = [lines[0]["row"] for lines in distributed(PAIRS, Maker(tmp_path / "notes", "5"), 2, cluster.address)]
    assert (tmp_path / "notes").read_text() == "died"
    assert found == [row for _, row in PAIRS]


def test_a_row_that_kills_every_worker_ends_the_run(cluster: Any, tmp_path: Path) -> None:
    with pytest.raises(WorkerLost, match="OP/5 took down 3 workers"):
        list(distributed(PAIRS, Maker(tmp_path / "notes", "5", True), 2, cluster.address))


@pytest.mark.parametrize("address", ["127.0.0.1:1", "nowhere", "127.0.0.1:99999", ":80"])
def test_an_address_without_a_cluster_is_refused_at_once(address: str) -> None:
    with pytest.raises(Unavailable, match="--address"):
        crew_ray._answers(address)


def without_times(path: Path) -> list[dict[str, Any]]:
    lines = [json.loads(text) for text in path.read_text().splitlines()]
    for line in lines:
        for key in ("started", "seconds"):
            line.pop(key, None)
        line.get("meters", {}).pop("time", None)
    return lines


def test_the_log_is_that_of_one_machine_though_a_node_is_lost(cluster: Any, tmp_path: Path) -> None:
    chosen = Selection(("lite",), ("ABS", "ADD", "EXP"), jobs=2)
    run(chosen, tmp_path / "here.jsonl")
    extra = [cluster.add_node(num_cpus=1)]

    def lose_a_node(line: Mapping[str, Any]) -> None:
        if line["kind"] == "coverage" and extra:  # the first row has ended, most have not
            cluster.remove_node(extra.pop(), allow_graceful=False)

    far = Selection(chosen.runtimes, chosen.ops, jobs=3, engine="ray", address=cluster.address)
    result = run(far, tmp_path / "far.jsonl", progress=lose_a_node)
    assert not extra
    assert result.exit == 0
    assert without_times(tmp_path / "far.jsonl") == without_times(tmp_path / "here.jsonl")
