#include "kernel_pool.h"

/* Four channels at once; what is left of them as of other types. */
static void fold(const opc_pool *p, const opc_pool_taps *t, uint32_t at) {
    uint32_t c = 0;
    const uint32_t taps = t->rows * t->columns;
    for (; c + 4 <= p->channels; c += 4) {
        const int8_t *row = opc_i8(&p->x) + t->at + c;
        int8_t *y = (int8_t *)p->y.data + at + c;
        /* modulo 2^32; 2^24 taps are exact */
        int32_t v0 = 0;
        int32_t v1 = 0;
        int32_t v2 = 0;
        int32_t v3 = 0;
        for (uint32_t r = t->rows; r != 0; r--, row += t->row_step) {
            const int8_t *x = row;
            for (uint32_t k = t->columns; k != 0; k--, x += p->channels) {
                v0 = opc_add32(v0, x[0]);
                v1 = opc_add32(v1, x[1]);
                v2 = opc_add32(v2, x[2]);
                v3 = opc_add32(v3, x[3]);
            }
        }
        y[0] = (int8_t)opc_clamp(opc_pool_mean(v0, taps), p->lo, p->hi);
        y[1] = (int8_t)opc_clamp(opc_pool_mean(v1, taps), p->lo, p->hi);
        y[2] = (int8_t)opc_clamp(opc_pool_mean(v2, taps), p->lo, p->hi);
        y[3] = (int8_t)opc_clamp(opc_pool_mean(v3, taps), p->lo, p->hi);
    }
    opc_pool_taps rest = *t;
    rest.first = c;
    opc_pool_average(p, &rest, at);
}

static opc_status invoke(opc_node *node) {
    return opc_pool_invoke(node, fold);
}

const opc_op opc_average_pool_2d_int8 = {.code = OPC_CODE_AVERAGE_POOL_2D,
                                         .key = OPC_KEY_INPUT0,
                                         .types = OPC_BIT(OPC_INT8),
                                         .prepare = opc_pool_prepare,
                                         .invoke = invoke};
