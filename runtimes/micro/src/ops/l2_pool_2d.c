#include <math.h>

#include "kernel_pool.h"

static opc_status start(opc_node *node, opc_pool *p, float *lo, float *hi) {
    OPC_TRY(opc_pool_fetch(node, p));
    return opc_float_activation_range(node, p->activation, lo, hi);
}

static opc_status prepare(opc_node *node) {
    opc_pool p;
    float lo;
    float hi;
    return start(node, &p, &lo, &hi);
}

/* Mean square of the taps inside the input. */
static float mean_square(const float *x, const opc_pool_taps *t, uint32_t step) {
    float sum = 0.0f;
    for (uint32_t r = 0; r < t->rows; r++, x += t->row_step) {
        for (uint32_t c = 0; c < t->columns; c++) {
            sum += x[c * step] * x[c * step];
        }
    }
    return sum / (float)(t->rows * t->columns);
}

static opc_status invoke(opc_node *node) {
    opc_pool p;
    float lo;
    float hi;
    OPC_TRY(start(node, &p, &lo, &hi));
    float *y = p.y.data;
    const uint32_t positions = p.channels == 0 ? 0 : p.y.elements / p.channels;
    for (uint32_t i = 0; i < positions; i++) {
        const opc_pool_taps t = opc_pool_position(&p, i);
        for (uint32_t c = 0; c < p.channels; c++) {
            *y++ = opc_clamp_float(sqrtf(mean_square(opc_f32(&p.x) + t.at + c, &t, p.channels)), lo, hi);
        }
    }
    return OPC_OK;
}

const opc_op opc_l2_pool_2d = {.code = OPC_CODE_L2_POOL_2D,
                               .key = OPC_KEY_INPUT0,
                               .types = OPC_BIT(OPC_FLOAT32),
                               .prepare = prepare,
                               .invoke = invoke};
