"""micro: the project's C99 interpreter, natively on this machine and on Cortex-M boards under QEMU."""

from __future__ import annotations

from typing import Any

from opconform.harness.runtime import Manifest, RuntimeFailure, Session, Unavailable
from opconform.runtimes.micro import build


class Micro:
    """The micro interpreter on one target: "host", "host-asan" (address and undefined-behaviour sanitizers) or a board.

    It never runs in this process: the harness talks to a worker over the wire.
    """

    def __init__(self, target: str = "host") -> None:
        self._target = target or "host"

    def describe(self) -> Manifest:
        """Return the name; rows and limits stand in runtime.yaml."""
        return Manifest(name="micro", arithmetic="double_rounding")

    def open(self, model: bytes) -> Session:
        """Refuse: sessions of micro are those of its workers. Raises Unavailable always."""
        raise Unavailable(f"micro@{self._target} runs in a worker of its own; open it with harness.isolate.connect")

    def transport(self, target: str) -> Any:
        """Return a board's transport (harness.transport.Transport), None for targets on this machine.

        Raises Unavailable with what is missing.
        """
        if target in build.VARIANTS:
            return None
        from opconform.targets import boards, launcher  # QEMU and its tools matter to boards alone
        from opconform.targets.build import need_tools

        need_tools(boards.load_target(target))
        return launcher.Board(target)

    def command(self, target: str) -> list[str]:
        """Return the command line of a worker on this machine, built if needed. Raises Unavailable."""
        try:
            return [str(build.build("worker", target))]
        except Unavailable:
            raise
        except RuntimeFailure as error:
            raise Unavailable(str(error)) from error
