#include "fixedpoint.h"
#include "kernel_parts.h"

/* q * s_x / s_y - zero_x * s_x / s_y in float32, halves away from zero. */
static void convert(const opc_tensor *x, const opc_tensor *y, uint8_t *to, const uint8_t *from, uint32_t count) {
    const float scale = opc_scale(x, 0) * (1.0f / opc_scale(y, 0));
    const float bias = -(float)opc_zero_point(x, 0) * scale;
    const int32_t zero = opc_zero_point(y, 0);
    for (uint32_t i = 0; i < count; i++) {
        to[i] = (uint8_t)opc_clamp(opc_add32(opc_round((float)from[i] * scale + bias), zero), 0, UINT8_MAX);
    }
}

/* Inputs may be quantized in their own way, and are then converted. */
static opc_status concatenation(opc_node *node) {
    opc_parts p = {.join = true, .mixed = true};
    OPC_TRY(opc_join_fetch(node, &p));
    OPC_TRY(opc_parts_run(node, &p));
    const uint32_t step = opc_parts_step(&p);
    const uint32_t apart = step * (uint32_t)p.whole.dims[p.axis];
    uint8_t *start = p.whole.data;
    for (uint32_t i = 0; i < opc_input_count(node); i++) {
        opc_tensor x;
        uint32_t size;
        OPC_TRY(opc_part(node, &p, i, &x, &size));
        if ((x.scale_count == 0) != (p.whole.scale_count == 0)) {
            return OPC_FAIL(node, OPC_INVALID_MODEL, "inputs and output must all be quantized or none");
        }
        if (start == NULL || x.elements == 0) {
            continue;
        }
        const uint32_t turns = opc_same_quantization(&x, &p.whole) ? 0 : opc_parts_turns(&p);
        for (uint32_t o = 0; o < turns; o++) {
            convert(&x, &p.whole, start + o * apart, opc_u8(&x) + o * size * step, size * step);
        }
        start += size * step;
    }
    return OPC_OK;
}

const opc_op opc_concatenation_uint8 = {.code = OPC_CODE_CONCATENATION,
                                        .key = OPC_KEY_OUTPUT0,
                                        .types = OPC_BIT(OPC_UINT8),
                                        .prepare = concatenation,
                                        .invoke = concatenation};
