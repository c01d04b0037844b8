"""One board under QEMU as a transport of the wire (harness/transport.py).

Frames pass over QEMU's standard input and output; the meter plugin's page says what came before each answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from opconform.harness import wire
from opconform.harness.pipes import Pipes
from opconform.harness.runtime import Unavailable
from opconform.harness.transport import Died, Garbled, NotStarted, Silent
from opconform.targets import answers, build
from opconform.targets.boards import Target, load_architecture, load_target
from opconform.targets.cache import BuildFailed, find_tool
from opconform.targets.faults import describe_access
from opconform.targets.meters import Page, regions
from opconform.targets.qemu import Machine, Qemu
from opconform.targets.symbols import load_symbols

BOOT_SECONDS = 10.0
#: frames under way; the page keeps the records of the last 1024 answers
DEPTH = 256
_HELLO_SEQUENCE = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Options:
    """What a board may be started with instead of what target.yaml and the cache say.

    `budget` is the CPU time in seconds after which the firmware itself ends an invocation with ERROR 7; a model gets
    it once more for every 16 KiB.
    """

    budget: float = 1.0
    image: build.Image | None = None
    machine: str = ""
    qemu: str = ""


@dataclass(frozen=True, slots=True)
class _Running:
    """What belongs to one board from its first start to its stop."""

    qemu: Qemu
    pipes: Pipes
    page: Page
    map: answers.Map


class Board:
    """A persistent QEMU with the firmware of one board; implements harness.transport.Transport."""

    def __init__(self, target: str, options: Options | None = None) -> None:
        self.name = target
        self._options = options or Options()
        self._running: _Running | None = None
        self._alive = False
        self._sent = self._answered = 0
        self._worst: Mapping[str, int] = {}

    @property
    def depth(self) -> int:
        """Return how many frames may be under way."""
        return DEPTH

    def start(self) -> None:
        """Build what is missing, start QEMU and wait for READY. Raises NotStarted with the reason in one line."""
        if self._alive:
            return
        try:
            self._running = self._running or _prepare(load_target(self.name), self._options)
        except (Unavailable, BuildFailed, OSError) as error:
            raise NotStarted(f"{self.name}: {error}") from error
        self._boot(self._running)

    def _boot(self, running: _Running) -> None:
        running.page.reset(running.map.symbols, running.map.regions)
        self._sent = self._answered = 0
        self._worst = {}
        running.pipes.restart()
        self._alive = True
        try:
            self.send(wire.encode_frame(wire.HELLO, _HELLO_SEQUENCE))
            answer = wire.decode_frame(self.receive(BOOT_SECONDS))
        except (Died, Silent, Garbled, wire.WireError) as error:
            self._alive = False
            raise NotStarted(f"{self.name}: QEMU did not start the firmware: {error}") from error
        if answer.kind != wire.READY:
            raise NotStarted(f"{self.name}: HELLO was answered with {wire.KINDS[answer.kind]}, READY is allowed")

    def send(self, frames: bytes) -> None:
        """Write whole frames. What does not fit the pipe is written during `receive`."""
        running = self._started()
        at = 0
        while at < len(frames):
            _, kind, _, _, _, length, _ = wire.HEADER.unpack_from(frames, at)
            if kind == wire.OPEN:
                self._worst = {}
            running.page.expect(self._sent, length if kind == wire.OPEN else 0)
            self._sent += 1
            at += wire.HEADER.size + length
        running.pipes.send(frames)

    def receive(self, seconds: float) -> bytes:
        """Return the next frame, with meters; `seconds` is CPU time of QEMU. Raises Died, Silent or Garbled."""
        running = self._started()
        try:
            frame = running.pipes.receive(seconds)
        except Died as error:
            self._alive = False
            raise Died(_obituary(str(error), running)) from error
        except (Silent, Garbled):
            self._alive = False
            raise
        record = running.page.record(self._answered)
        self._answered += 1
        if record.windows:
            self._worst = answers.worst(self._worst, record)
        return answers.complete(frame, record, running.map)

    def restart(self) -> None:
        """Kill QEMU if it lives and start a fresh one. Raises NotStarted."""
        self._alive = False
        self.start()

    def stop(self) -> None:
        """End QEMU; safe to call twice."""
        running, self._running, self._alive = self._running, None, False
        if running is not None:
            running.pipes.stop()
            running.page.close()

    def meters(self) -> Mapping[str, int]:
        """Return the largest of each meter since the last call or OPEN; answers.worst names them."""
        found, self._worst = self._worst, {}
        return found

    def _started(self) -> _Running:
        if self._running is None or not self._alive:
            raise Died("it was not started")
        return self._running


def _prepare(target: Target, options: Options) -> _Running:
    """Raises Unavailable and BuildFailed."""
    architecture = load_architecture(target.architecture)
    program = find_tool(options.qemu or architecture.emulator, architecture.emulator_packages)
    plugin = build.build_plugin()
    image = options.image or build.build_worker(target)
    symbols = load_symbols(image.symbols)
    page = Page()
    machine = Machine(
        program, options.machine or target.machine, architecture.emulator_options, image.elf, plugin, page.fd,
        max(1, round(options.budget * 100)),
    )  # fmt: skip
    qemu = Qemu(machine)
    return _Running(qemu, Pipes(qemu, depth=DEPTH), page, answers.Map(regions(target, symbols), symbols, architecture))


def _obituary(how: str, running: _Running) -> str:
    """Return how QEMU ended, the access out of bounds that went before, and QEMU's own words."""
    record = running.page.record(running.page.answers())
    access = describe_access(record, running.map.regions, running.map.symbols) if record.bad_count else ""
    return ": ".join(part for part in (how, access, running.qemu.last_words()) if part)
