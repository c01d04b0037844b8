#include "kernel_matmul.h"

static opc_status prepare(opc_node *node) {
    opc_matmul m;
    OPC_TRY(opc_matmul_start(node, &m));
    return opc_same_dtype(node, &m.in[0], &m.y);
}

static opc_status invoke(opc_node *node) {
    opc_matmul m;
    OPC_TRY(opc_matmul_start(node, &m));
    for (uint32_t i = 0; i < m.y.elements; i++, opc_matmul_next(&m)) {
        const float *x = opc_f32(&m.in[0]) + m.x_at;
        const float *w = opc_f32(&m.in[1]) + m.w_at;
        float sum = 0.0f;
        for (uint32_t k = m.depth; k != 0; k--, x += m.x_step, w += m.w_step) {
            sum += *x * *w;
        }
        ((float *)m.y.data)[i] = sum;
    }
    return OPC_OK;
}

const opc_op opc_batch_matmul_float32 = {.code = OPC_CODE_BATCH_MATMUL,
                                         .key = OPC_KEY_INPUT0,
                                         .types = OPC_BIT(OPC_FLOAT32),
                                         .prepare = prepare,
                                         .invoke = invoke};
