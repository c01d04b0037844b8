"""The arena planner: nothing that lives at the same time overlaps."""

import random

from opconform.runtimes.lite.planner import ALIGNMENT, Request, place


def test_buffers_that_live_together_never_overlap() -> None:
    draw = random.Random(5)
    for _ in range(200):
        requests = []
        for _ in range(draw.randrange(1, 20)):
            first = draw.randrange(10)
            requests.append(Request(draw.choice([0, 1, 63, 64, 65, 1000]), first, first + draw.randrange(4)))
        offsets, size = place(requests)
        for i, a in enumerate(requests):
            assert offsets[i] % ALIGNMENT == 0
            assert offsets[i] + a.size <= size
            for j, b in enumerate(requests[:i]):
                apart = a.last < b.first or b.last < a.first
                assert apart or offsets[i] + a.size <= offsets[j] or offsets[j] + b.size <= offsets[i]


def test_a_chain_needs_room_for_two_buffers_only() -> None:
    chain = [Request(640, step, step + 1) for step in range(8)]
    assert place(chain)[1] == 1280


def test_no_requests_need_no_arena() -> None:
    assert place([]) == ([], 0)
