"""Quantization of tensors whose shape was broken on purpose."""

import pytest

from opconform.harness.generate.quantize import draw_quant
from opconform.harness.generate.source import Discard, replay
from opconform.harness.spec_load import load_all


@pytest.mark.parametrize("shape", [(), (2, 3, 4)])
def test_scales_along_an_axis_that_the_shape_lacks_discard_the_draw(shape: tuple[int, ...]) -> None:
    rule = load_all()["DEPTHWISE_CONV_2D"].quantization["int8"]["w"]
    assert (rule.kind, rule.axis) == ("per_axis", 3)
    with pytest.raises(Discard):
        draw_quant(rule, "int8", shape, {}, replay([]), ties=False)
    assert len(draw_quant(rule, "int8", (1, 2, 3, 4), {}, replay([]), ties=False).scale) == 4
