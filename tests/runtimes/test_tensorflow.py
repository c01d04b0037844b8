"""The adapter of the TensorFlow package. What needs the package is skipped where the extra `tensorflow` is missing."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from opconform.harness import claims_training, registry, schema
from opconform.harness.cli import main
from opconform.harness.flatmodel import Graph, Node, TensorDef, write_model
from opconform.harness.manifest import read_card
from opconform.harness.runtime import InvalidModel, Unavailable, Unsupported
from opconform.harness.spec_load import load_spec, spec_folder
from opconform.runtimes import tensorflow
from opconform.runtimes.tensorflow import TensorFlow
from opconform.runtimes.tensorflow.ops import KERNELS

CARD = read_card(Path(str(tensorflow.__file__)).parent / "runtime.yaml")


def test_the_manifest_claims_what_is_mapped_and_nothing_else() -> None:
    assert set(CARD.manifest.rows) == set(KERNELS)


def test_every_op_that_is_mapped_has_a_spec_and_every_row_left_out_exists() -> None:
    assert {op for op in KERNELS if not (spec_folder() / f"{op.lower()}.yaml").is_file()} == set()
    assert set(KERNELS) <= set(schema.OPS)
    for left_out in CARD.manifest.except_rows:
        op, _, row = left_out.partition("/")
        assert row in load_spec(spec_folder() / f"{op.lower()}.yaml").rows, left_out


def test_the_package_that_is_missing_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    with pytest.raises(Unavailable, match=r"tensorflow: .*run: tox -e tensorflow") as found:
        TensorFlow().warm()
    assert "\n" not in str(found.value)


def test_a_run_goes_on_without_it(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    version = registry._version
    monkeypatch.setattr(registry, "_version", lambda name: "" if name == "tensorflow-cpu" else version(name))
    registry._card_of.cache_clear()
    words = ["run", "--runtime", "tensorflow", "--runtime", "litert", "--op", "RANK", "--row", "bool"]
    monkeypatch.setattr("sys.argv", ["opconform", *words])
    with pytest.raises(SystemExit) as end:
        main()
    registry._card_of.cache_clear()
    said = capsys.readouterr()
    assert end.value.code == 0
    lines = [line for line in (said.out + said.err).splitlines() if "the package tensorflow-cpu is missing" in line]
    assert len(lines) == 1
    assert "run: tox -e tensorflow" in lines[0]


def model(op: str, shapes: list[tuple[int, ...]], options: dict[str, object], dtypes: tuple[str, ...]) -> bytes:
    slots = enumerate(zip(dtypes, shapes, strict=True))
    tensors = tuple(TensorDef(f"t{n}", dtype, shape) for n, (dtype, shape) in slots)
    into, out = tuple(range(len(shapes) - 1)), (len(shapes) - 1,)
    return write_model([Graph(tensors, (Node(op, into, out, options),), into, out)])


@pytest.mark.usefixtures("tf")
def test_it_adds_applies_the_activation_and_hands_out_copies() -> None:
    data = model("ADD", [(2,), (2,), (2,)], {"activation": "RELU"}, ("float32",) * 3)
    session = TensorFlow().open(data)
    first = session.run([np.asarray([1, -3], np.float32), np.asarray([1, 1], np.float32)])[0]
    session.run([np.zeros(2, np.float32)] * 2)
    assert first.tolist() == [2, 0]


def test_a_filter_with_zeros_in_between_is_a_dilated_one(tf: Any) -> None:
    from opconform.runtimes.tensorflow.layers import _dilated

    spread = _dilated(tf, tf.reshape(tf.range(1.0, 5.0), [2, 1, 2, 1, 1]), [3, 2, 1]).numpy()
    assert spread.shape == (4, 1, 2, 1, 1)
    assert spread[:, 0, :, 0, 0].tolist() == [[1, 2], [0, 0], [0, 0], [3, 4]]


@pytest.mark.usefixtures("tf")
def test_strings_come_in_the_width_of_the_wire() -> None:
    session = TensorFlow().open(model("SQUEEZE", [(1, 2), (2,)], {"squeeze_dims": [0]}, ("string",) * 2))
    (y,) = session.run([np.asarray([[b"a", b"bc"]], "S32")])
    assert y.dtype == np.dtype("S32")
    assert y.tolist() == [b"a", b"bc"]


@pytest.mark.usefixtures("tf")
def test_random_numbers_start_anew_with_every_open() -> None:
    data = model("RANDOM_UNIFORM", [(1,), (4,)], {"seed": 1, "seed2": 2}, ("int32", "float32"))
    one, other = (TensorFlow().open(data).run([np.asarray([4], np.int32)])[0] for _ in range(2))
    assert np.array_equal(one, other)


@pytest.mark.usefixtures("tf")
def test_what_it_refuses_and_what_it_lacks_are_told_apart() -> None:
    with pytest.raises(Unsupported, match="SVDF has no counterpart"):
        TensorFlow().open(model("SVDF", [(2,), (2,)], {}, ("float32",) * 2))
    session = TensorFlow().open(model("ADD", [(2,), (3,), (3,)], {}, ("float32",) * 3))
    with pytest.raises(InvalidModel, match="Incompatible shapes"):
        session.run([np.zeros(2, np.float32), np.zeros(3, np.float32)])
    with pytest.raises(InvalidModel, match="cannot be read"):
        TensorFlow().open(b"\x18\0\0\0TFL3" + bytes(20))


@pytest.mark.usefixtures("tf")
def test_its_gradients_are_those_of_float64_differences_and_change_with_the_batch() -> None:
    batch = claims_training.digits()
    weights = claims_training.first_weights(batch.x.shape[1])
    loss, gradients = TensorFlow().trainer().gradients(weights, batch.x, batch.labels)
    assert loss == pytest.approx(claims_training.loss(weights, batch), rel=1e-6)
    assert claims_training.gradient_error(gradients, weights, batch) < 1e-5
    _, others = TensorFlow().trainer().gradients(weights, batch.x[:9], batch.labels[:9])
    assert claims_training.gradient_error(others, weights, batch) > 0.1


@pytest.mark.usefixtures("tf")
def test_a_step_goes_down_the_gradient_at_the_rate_and_leaves_what_it_is_given() -> None:
    weights, gradients = [np.asarray([1, 2], np.float32)], [np.asarray([4, -8], np.float32)]
    (found,) = TensorFlow().trainer().step(weights, gradients, 0.25)
    assert found.tolist() == [0, 4]
    assert weights[0].tolist() == [1, 2]
