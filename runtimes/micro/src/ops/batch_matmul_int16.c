#include "fixedpoint.h"
#include "kernel_matmul.h"

static opc_multiplier factor_of(const opc_matmul *m) {
    return opc_multiplier_of_rounded(opc_scale(&m->in[0], 0), opc_scale(&m->in[1], 0), opc_scale(&m->y, 0));
}

static opc_status prepare(opc_node *node) {
    opc_matmul m;
    OPC_TRY(opc_matmul_start(node, &m));
    OPC_TRY(opc_same_dtype(node, &m.in[0], &m.y));
    OPC_TRY(opc_need_quantized(node, &m.in[0], &m.in[1]));
    OPC_TRY(opc_need_quantized(node, &m.y, &m.y));
    if (opc_zero_point(&m.in[0], 0) != 0 || opc_zero_point(&m.in[1], 0) != 0 || opc_zero_point(&m.y, 0) != 0) {
        return OPC_FAIL(node, OPC_INVALID_MODEL, "zero points of int16 must be 0");
    }
    return factor_of(&m).shift < 8 ? OPC_OK
                                   : OPC_FAIL(node, OPC_UNSUPPORTED, "output scale too small beside the input scales");
}

static opc_status invoke(opc_node *node) {
    opc_matmul m;
    OPC_TRY(opc_matmul_start(node, &m));
    const opc_multiplier factor = factor_of(&m);
    for (uint32_t i = 0; i < m.y.elements; i++, opc_matmul_next(&m)) {
        const int16_t *x = opc_i16(&m.in[0]) + m.x_at;
        const int16_t *w = opc_i16(&m.in[1]) + m.w_at;
        int64_t sum = 0; /* |product| <= 2^30 */
        for (uint32_t k = m.depth; k != 0; k--, x += m.x_step, w += m.w_step) {
            sum += *x * *w;
        }
        ((int16_t *)m.y.data)[i] = (int16_t)opc_clamp(opc_mbqm64(sum, factor), INT16_MIN, INT16_MAX);
    }
    return OPC_OK;
}

const opc_op opc_batch_matmul_int16 = {.code = OPC_CODE_BATCH_MATMUL,
                                       .key = OPC_KEY_INPUT0,
                                       .types = OPC_BIT(OPC_INT16),
                                       .prepare = prepare,
                                       .invoke = invoke};
