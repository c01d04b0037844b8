"""What carries frames to pages: a restart opens a fresh page and starts Chromium anew only where it must."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from opconform.harness import wire
from opconform.harness.pipes import Pipes, Program
from opconform.harness.transport import TransportError

_SECONDS = 2.0


class Pages:
    """A transport to chromium.mjs, which ends its page at BYE and opens one for the next frame; without one it ends."""

    def __init__(self, command: Sequence[str]) -> None:
        self._pipes = Pipes(Program(command))

    @property
    def depth(self) -> int:
        """See Transport."""
        return self._pipes.depth

    def start(self) -> None:
        """See Transport."""
        self._pipes.start()

    def send(self, frames: bytes) -> None:
        """See Transport."""
        self._pipes.send(frames)

    def receive(self, seconds: float) -> bytes:
        """See Transport."""
        return self._pipes.receive(seconds)

    def restart(self) -> None:
        """End the page; where nobody answers to that, start Chromium anew. Raises NotStarted."""
        if not self._part():
            self._pipes.restart()

    def stop(self) -> None:
        """End the page, if there is one, then Chromium: it removes what it wrote, so it is not just killed."""
        while self._part():
            pass
        self._pipes.stop()

    def meters(self) -> Mapping[str, int]:
        """See Transport."""
        return self._pipes.meters()

    def _part(self) -> bool:
        """Say BYE. Returns whether it was answered."""
        try:
            self._pipes.send(wire.encode_frame(wire.BYE, 0))
            return wire.decode_frame(self._pipes.receive(_SECONDS)).kind == wire.GONE
        except (TransportError, wire.WireError):
            return False
