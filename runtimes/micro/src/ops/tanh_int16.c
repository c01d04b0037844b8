#include "kernel_squash.h"

/* tanh(x) = 2 logistic(2 x) - 1: entries 2^8 apart, Q0.24 to Q0.15. */
static int16_t squash(int32_t x) {
    const uint32_t magnitude = (uint32_t)(x < 0 ? -x : x);
    const uint32_t at = magnitude >> 8;
    int32_t result = 0xFFFF << 8;
    if (at < 255) {
        const uint32_t low = opc_logistic_table[at];
        result = (int32_t)((low << 8) + (magnitude & 0xFFU) * (opc_logistic_table[at + 1] - low)); /* <= 2^24 */
    }
    result -= 1 << 23;
    return (int16_t)opc_shift_right(x >= 0 ? result + (1 << 7) : -result + (1 << 7) - 1, 8);
}

static opc_status prepare(opc_node *node) {
    opc_squash16 s;
    return opc_squash16_fetch(node, &s, 1);
}

static opc_status invoke(opc_node *node) {
    opc_squash16 s;
    OPC_TRY(opc_squash16_fetch(node, &s, 1));
    for (uint32_t i = 0; i < s.x.elements; i++) {
        ((int16_t *)s.y.data)[i] = squash(opc_squash16_input(&s, i));
    }
    return OPC_OK;
}

const opc_op opc_tanh_int16 = {.code = OPC_CODE_TANH,
                               .key = OPC_KEY_INPUT0,
                               .flags = OPC_INPLACE_INPUT0,
                               .types = OPC_BIT(OPC_INT16),
                               .prepare = prepare,
                               .invoke = invoke};
