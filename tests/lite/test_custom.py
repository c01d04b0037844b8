"""CUSTOM operators in lite: found by name, told by a FlexBuffer map, which may be anything."""

from __future__ import annotations

import numpy as np
import pytest
from flatbuffers import flexbuffers

from opconform.harness.flatmodel import Graph, Node, TensorDef, write_model
from opconform.harness.runtime import InvalidModel, RuntimeFailure, Unsupported
from opconform.runtimes.lite import Lite
from opconform.runtimes.lite.flexmap import read_map

OPTIONS = {
    "max_detections": 2, "max_classes_per_detection": 1, "num_classes": 1, "use_regular_nms": True,
    "detections_per_class": 4, "nms_score_threshold": 0.5, "nms_iou_threshold": 0.5,
    "y_scale": 1.0, "x_scale": 1.0, "h_scale": 1.0, "w_scale": 1.0,
}  # fmt: skip
ANCHORS = np.array([[0.5, 0.5, 0.2, 0.2], [0.5, 0.51, 0.2, 0.2], [0.2, 0.2, 0.1, 0.1]], np.float32)


def detector(options: bytes, name: str = "TFLite_Detection_PostProcess") -> bytes:
    shapes = {"e": (1, 3, 4), "s": (1, 3, 1), "a": (3, 4), "b": (1, 2, 4), "c": (1, 2), "v": (1, 2), "n": (1,)}
    tensors = tuple(TensorDef(n, "float32", s, ANCHORS if n == "a" else None) for n, s in shapes.items())
    node = Node("CUSTOM", (0, 1, 2), (3, 4, 5, 6), custom=name, custom_options=options)
    return write_model([Graph(tensors, (node,), (0, 1), (3, 4, 5, 6))])


def test_a_box_that_overlaps_a_better_one_goes_and_places_behind_the_last_are_zero() -> None:
    session = Lite().open(detector(bytes(flexbuffers.Dumps(OPTIONS))))
    scores = np.array([0.7, 0.9, 0.4], np.float32).reshape(1, 3, 1)
    boxes, classes, best, count = session.run([np.zeros((1, 3, 4), np.float32), scores])
    assert np.allclose(boxes, [[[0.4, 0.41, 0.6, 0.61], [0, 0, 0, 0]]])
    assert np.asarray(classes).tolist() == [[0, 0]]
    assert np.allclose(best, [[0.9, 0]])
    assert np.asarray(count).tolist() == [1]


def test_an_unknown_name_is_declined_and_named() -> None:
    with pytest.raises(Unsupported, match="custom operator 'Nonsense'; TFLite_Detection_PostProcess"):
        Lite().open(detector(b"", "Nonsense"))


def test_missing_options_are_named() -> None:
    short = {name: value for name, value in OPTIONS.items() if name != "h_scale"}
    with pytest.raises(InvalidModel, match="lack h_scale"):
        Lite().open(detector(bytes(flexbuffers.Dumps(short))))


def test_every_kind_of_number_is_read() -> None:
    numbers = {"small": 3, "large": -(2**40), "real": 0.1, "yes": True, "word": "no number"}
    assert read_map(bytes(flexbuffers.Dumps(numbers))) == {"small": 3, "large": -(2**40), "real": 0.1, "yes": 1}


def test_no_map_that_was_damaged_brings_more_than_a_refusal() -> None:
    whole = bytes(flexbuffers.Dumps(OPTIONS))
    rng, refused = np.random.default_rng(0), 0
    for trial in range(2000):
        damaged = bytearray(whole[: len(whole) - trial % 7])
        for at in rng.integers(0, len(damaged), 3):
            damaged[at] = rng.integers(0, 256)
        try:
            Lite().open(detector(bytes(damaged)))
        except RuntimeFailure:
            refused += 1
    assert refused > 0
