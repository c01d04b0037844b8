#include "kernel_pool.h"

/* A NaN among the taps is the result. */
static float pool(const float *x, const opc_pool_taps *t, uint32_t step) {
    float best = *x;
    for (uint32_t r = 0; r < t->rows; r++) {
        const float *row = x + r * t->row_step;
        for (uint32_t c = 0; c < t->columns; c++) {
            best = row[c * step] <= best ? best : best != best ? best : row[c * step];
        }
    }
    return best;
}

static opc_status invoke(opc_node *node) {
    return opc_pool_float_invoke(node, pool);
}

const opc_op opc_max_pool_2d_float32 = {.code = OPC_CODE_MAX_POOL_2D,
                                        .key = OPC_KEY_INPUT0,
                                        .types = OPC_BIT(OPC_FLOAT32),
                                        .prepare = opc_pool_float_prepare,
                                        .invoke = invoke};
