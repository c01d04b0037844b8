#include "fixedpoint.h"
#include "kernel_matmul.h"

/* An int32 output takes the sums as they are. */
static opc_status prepare(opc_node *node) {
    opc_matmul m;
    OPC_TRY(opc_matmul_start(node, &m));
    if (m.y.dtype == OPC_INT32) {
        return OPC_OK;
    }
    OPC_TRY(opc_same_dtype(node, &m.in[0], &m.y));
    OPC_TRY(opc_need_quantized(node, &m.in[0], &m.in[1]));
    return opc_need_quantized(node, &m.y, &m.y);
}

/* Modulo 2^32. */
static int32_t dot(const opc_matmul *m, int32_t zero_x, int32_t zero_w) {
    const int8_t *x = opc_i8(&m->in[0]) + m->x_at;
    const int8_t *w = opc_i8(&m->in[1]) + m->w_at;
    uint32_t sum = 0;
    for (uint32_t k = m->depth; k != 0; k--, x += m->x_step, w += m->w_step) {
        sum += (uint32_t)opc_sub32(*x, zero_x) * (uint32_t)opc_sub32(*w, zero_w);
    }
    return (int32_t)sum;
}

static opc_status invoke(opc_node *node) {
    opc_matmul m;
    OPC_TRY(opc_matmul_start(node, &m));
    const int32_t zero_x = opc_zero_point(&m.in[0], 0);
    const int32_t zero_w = opc_zero_point(&m.in[1], 0);
    const int32_t zero_y = opc_zero_point(&m.y, 0);
    const bool raw = m.y.dtype == OPC_INT32;
    const opc_multiplier factor =
        opc_multiplier_of_rounded(opc_scale(&m.in[0], 0), opc_scale(&m.in[1], 0), opc_scale(&m.y, 0));
    for (uint32_t i = 0; i < m.y.elements; i++, opc_matmul_next(&m)) {
        const int32_t sum = dot(&m, zero_x, zero_w);
        const int32_t value = raw ? sum : opc_clamp_sum(opc_mbqm(sum, factor), zero_y, INT8_MIN, INT8_MAX);
        opc_store_int(&m.y, i, value);
    }
    return OPC_OK;
}

const opc_op opc_batch_matmul_int8 = {.code = OPC_CODE_BATCH_MATMUL,
                                      .key = OPC_KEY_INPUT0,
                                      .types = OPC_BIT(OPC_INT8),
                                      .prepare = prepare,
                                      .invoke = invoke};
