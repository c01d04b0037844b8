#include "fixedpoint.h"
#include "kernel_util.h"

/* *inner: elements between two neighbours along the quantized axis, 0 where one scale serves all. */
static opc_status fetch(opc_node *node, opc_tensor *x, opc_tensor *y, uint32_t *inner) {
    OPC_TRY(opc_fetch(node, 1, x, y));
    if (!opc_same_shape(x, y)) {
        return OPC_FAIL(node, OPC_INVALID_MODEL, "shapes differ");
    }
    if (y->dtype != OPC_INT8 && y->dtype != OPC_UINT8 && y->dtype != OPC_INT16) {
        return OPC_FAIL(node, OPC_UNSUPPORTED, "the output must be int8, uint8 or int16");
    }
    return opc_quantized_axis(node, y, inner);
}

static opc_status prepare(opc_node *node) {
    opc_tensor x;
    opc_tensor y;
    uint32_t inner;
    return fetch(node, &x, &y, &inner);
}

static opc_status invoke(opc_node *node) {
    opc_tensor x;
    opc_tensor y;
    uint32_t inner;
    OPC_TRY(fetch(node, &x, &y, &inner));
    int32_t lo;
    int32_t hi;
    opc_dtype_range(y.dtype, &lo, &hi);
    for (uint32_t i = 0; i < x.elements; i++) {
        const uint32_t channel = inner == 0 ? 0 : i / inner % y.scale_count;
        const int32_t steps = opc_round(opc_f32(&x)[i] / opc_scale(&y, channel));
        opc_store_int(&y, i, opc_clamp(opc_add32(steps, opc_zero_point(&y, channel)), lo, hi));
    }
    return OPC_OK;
}

const opc_op opc_quantize_float32 = {.code = OPC_CODE_QUANTIZE,
                                     .key = OPC_KEY_INPUT0,
                                     .types = OPC_BIT(OPC_FLOAT32),
                                     .prepare = prepare,
                                     .invoke = invoke};
