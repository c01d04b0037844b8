"""Inference and native quantization: each layer of a small network has a bound that a defect exceeds."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from opconform.harness.claims import Evidence, Subject
from opconform.harness.claims_inference import (
    Network,
    check_inference,
    check_native_quantization,
    float_network,
    int8_network,
    layer_errors,
    misfit,
)
from opconform.harness.model import Crashed, Produced
from opconform.runtimes.litert import LiteRT

Subjects = Callable[[str], Subject]
Refuted = Callable[[Evidence, str], None]


@pytest.mark.parametrize("name", ["lite", "litert@xnnpack", "micro"])
def test_runtimes_that_infer_and_quantize_are_seen_to(subject: Subjects, name: str) -> None:
    assert check_inference(subject(name)).value is True
    assert check_native_quantization(subject(name)).value is True


def test_one_quantum_too_many_is_no_native_quantization(boaster: Subjects, refuted: Refuted) -> None:
    refuted(check_native_quantization(boaster("WrongInt8")), "times its bound")


def test_a_hundred_thousandth_part_too_much_is_no_inference(boaster: Subjects, refuted: Refuted) -> None:
    refuted(check_inference(boaster("WrongFloat")), "times its bound")


def test_a_runtime_that_knows_int8_only_infers_by_it(boaster: Subjects) -> None:
    assert check_inference(boaster("Int8Only")).measured == "int8 conforms"


def test_a_runtime_that_takes_one_operator_at_a_time_is_asked_for_one(boaster: Subjects) -> None:
    evidence = check_inference(boaster("OneByOne"))
    assert (evidence.value, evidence.measured) == (True, "ADD/float32 conforms")
    assert check_native_quantization(boaster("OneByOne")).measured == "ADD/int8 conforms"


@pytest.mark.parametrize("network", [float_network(), int8_network()], ids=["float32", "int8"])
def test_a_change_of_any_output_is_found_and_its_layer_named(network: Network) -> None:
    session = LiteRT().open(network.model)
    right = [tuple(session.run(vector)) for vector in network.vectors]
    assert misfit(Produced(tuple(right), {}), network) == ""
    for layer in range(3):
        spoilt = [output.copy() for output in right[-1]]
        spoilt[layer][0, 0] += 2
        found = misfit(Produced((*right[:-1], tuple(spoilt)), {}), network)
        assert found.startswith(f"output {layer + 1} is off by")


def test_infinities_and_nothing_are_no_inference() -> None:
    network = float_network()
    wide, narrow = np.full((1, 16), np.nan, np.float32), np.full((1, 8), np.inf, np.float32)
    assert misfit(Produced(((wide, wide, narrow),) * 16, {}), network).startswith("output 1 is off by nan")
    assert misfit(Produced(((wide, wide),) * 16, {}), network).startswith("outputs are")
    assert misfit(Crashed("SIGSEGV"), network) == "a crash: SIGSEGV"


def test_values_of_the_network_use_the_range_of_int8() -> None:
    network = int8_network()
    session = LiteRT().open(network.model)
    for number in range(3):
        values = np.concatenate([session.run(vector)[number].copy() for vector in network.vectors])
        assert np.ptp(values.astype(int)) > 100
        assert len(np.unique(values)) > 40
    assert max(layer_errors(network, network.vectors[0][0], session.run(network.vectors[0]))) > 0
