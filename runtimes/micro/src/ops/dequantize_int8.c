#include "kernel_util.h"

typedef struct dequantize {
    opc_tensor x;
    opc_tensor y;
    uint32_t inner; /* see opc_quantized_axis */
} dequantize;

static opc_status set_up(opc_node *node, dequantize *t) {
    OPC_TRY(opc_fetch(node, 1, &t->x, &t->y));
    if (!opc_same_shape(&t->x, &t->y) || t->y.dtype != OPC_FLOAT32) {
        return OPC_FAIL(node, OPC_INVALID_MODEL, "the output must be float32 of the input's shape");
    }
    if (t->x.dtype == OPC_INT16 && opc_zero_point(&t->x, 0) != 0) {
        return OPC_FAIL(node, OPC_INVALID_MODEL, "zero points of int16 must be 0");
    }
    return opc_quantized_axis(node, &t->x, &t->inner);
}

static opc_status prepare(opc_node *node) {
    dequantize t;
    return set_up(node, &t);
}

/* scale * (q - zero), rounded once: the difference has at most 17 bits and is exact. */
static opc_status invoke(opc_node *node) {
    dequantize t;
    OPC_TRY(set_up(node, &t));
    for (uint32_t i = 0; i < t.x.elements; i++) {
        const uint32_t channel = t.inner == 0 ? 0 : i / t.inner % t.x.scale_count;
        const int32_t zero = opc_zero_point(&t.x, channel);
        ((float *)t.y.data)[i] = opc_scale(&t.x, channel) * (float)opc_sub32(opc_load_int(&t.x, i), zero);
    }
    return OPC_OK;
}

const opc_op opc_dequantize_int8 = {.code = OPC_CODE_DEQUANTIZE,
                                    .key = OPC_KEY_INPUT0,
                                    .types = OPC_BIT(OPC_INT8) | OPC_BIT(OPC_UINT8) | OPC_BIT(OPC_INT16),
                                    .prepare = prepare,
                                    .invoke = invoke};
