#include <string.h>

#include "kernel_util.h"

static opc_status fetch(opc_node *node, opc_tensor *x, opc_tensor *y) {
    OPC_TRY(opc_fetch(node, 1, x, y));
    return opc_same_shape(x, y) && y->dtype == OPC_FLOAT32
               ? OPC_OK
               : OPC_FAIL(node, OPC_INVALID_MODEL, "the output must be float32 of the input's shape");
}

static opc_status prepare(opc_node *node) {
    opc_tensor x;
    opc_tensor y;
    return fetch(node, &x, &y);
}

/* Exact: every half has a float. */
static float widen(uint16_t half) {
    const uint32_t magnitude = (uint32_t)half & 0x7FFFU;
    const uint32_t sign = ((uint32_t)half & 0x8000U) << 16;
    uint32_t bits = sign | (magnitude >= 0x7C00U ? 0x7F800000U | magnitude << 13 : (magnitude << 13) + (112U << 23));
    float value;
    memcpy(&value, &bits, sizeof value);
    if (magnitude < 0x0400U) { /* zero and subnormals count in steps of 2^-24 */
        value = (float)magnitude * 5.9604644775390625e-8f;
        value = sign != 0 ? -value : value;
    }
    return value;
}

static opc_status invoke(opc_node *node) {
    opc_tensor x;
    opc_tensor y;
    OPC_TRY(fetch(node, &x, &y));
    for (uint32_t i = 0; i < x.elements; i++) {
        ((float *)y.data)[i] = widen(((const uint16_t *)x.data)[i]);
    }
    return OPC_OK;
}

const opc_op opc_dequantize_float16 = {.code = OPC_CODE_DEQUANTIZE,
                                       .key = OPC_KEY_INPUT0,
                                       .types = OPC_BIT(OPC_FLOAT16),
                                       .prepare = prepare,
                                       .invoke = invoke};
