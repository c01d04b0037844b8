#include "dense.h"
#include "kernel_util.h"

static opc_status prepare(opc_node *node) {
    return opc_dense_prepare(node, OPC_UINT8, OPC_UINT8);
}

static void run(const opc_rows8 *m, const int8_t *w, const int32_t *bias, const int8_t *x, uint8_t *y) {
    const uint8_t *row = (const uint8_t *)w;
    for (uint32_t u = 0; u < m->units; u++) {
        int32_t sum = bias == NULL ? 0 : bias[u];
        for (uint32_t k = 0; k < m->depth; k++) {
            const int32_t value = opc_read_8((const uint8_t *)x + k, 0x80U) - m->zero_x;
            sum = opc_add32(sum, value * (opc_read_8(row++, 0x80U) - m->zero_w)); /* |term| < 2^17 */
        }
        y[u] = (uint8_t)opc_clamp_sum(opc_mbqm(sum, m->factors[u * m->per_unit]), m->zero_y, m->lo, m->hi);
    }
}

static opc_status invoke(opc_node *node) {
    return opc_dense_invoke8(node, run);
}

const opc_op opc_fully_connected_uint8 = {.code = OPC_CODE_FULLY_CONNECTED,
                                          .key = OPC_KEY_INPUT0,
                                          .types = OPC_BIT(OPC_UINT8),
                                          .prepare = prepare,
                                          .invoke = invoke};
