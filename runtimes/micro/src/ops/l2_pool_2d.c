#include <math.h>

#include "kernel_pool.h"

/* Root of the mean square of the taps inside the input. */
static float pool(const float *x, const opc_pool_taps *t, uint32_t step) {
    float sum = 0.0f;
    for (uint32_t r = 0; r < t->rows; r++, x += t->row_step) {
        for (uint32_t c = 0; c < t->columns; c++) {
            sum += x[c * step] * x[c * step];
        }
    }
    return sqrtf(sum / (float)(t->rows * t->columns));
}

static opc_status invoke(opc_node *node) {
    return opc_pool_float_invoke(node, pool);
}

const opc_op opc_l2_pool_2d = {.code = OPC_CODE_L2_POOL_2D,
                               .key = OPC_KEY_INPUT0,
                               .types = OPC_BIT(OPC_FLOAT32),
                               .prepare = opc_pool_float_prepare,
                               .invoke = invoke};
