#include "kernel_squash.h"

/* Linear interpolation between entries 2^9 apart, Q0.25 to Q0.15; 1 - f(-x) below zero, kept one step of rounding
 * lower. */
static int16_t squash(int32_t x) {
    const uint32_t magnitude = (uint32_t)(x < 0 ? -x : x);
    const uint32_t at = magnitude >> 9;
    uint32_t result = 0x7FFFU << 10;
    if (at < 255) {
        const uint32_t low = opc_logistic_table[at];
        result = (low << 9) + (magnitude & 0x1FFU) * (opc_logistic_table[at + 1] - low); /* <= 2^25 */
    }
    result = x >= 0 ? result + (1U << 9) : (1U << 25) - result + (1U << 9) - 1U;
    return (int16_t)(result >> 10);
}

static opc_status prepare(opc_node *node) {
    opc_squash16 s;
    return opc_squash16_fetch(node, &s, 0);
}

static opc_status invoke(opc_node *node) {
    opc_squash16 s;
    OPC_TRY(opc_squash16_fetch(node, &s, 0));
    for (uint32_t i = 0; i < s.x.elements; i++) {
        ((int16_t *)s.y.data)[i] = squash(opc_squash16_input(&s, i));
    }
    return OPC_OK;
}

const opc_op opc_logistic_int16 = {.code = OPC_CODE_LOGISTIC,
                                   .key = OPC_KEY_INPUT0,
                                   .flags = OPC_INPLACE_INPUT0,
                                   .types = OPC_BIT(OPC_INT16),
                                   .prepare = prepare,
                                   .invoke = invoke};
