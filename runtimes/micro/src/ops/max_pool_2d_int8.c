#include "kernel_pool.h"

/* Four channels at once; what is left of them as of other types. */
static void fold(const opc_pool *p, const opc_pool_taps *t, uint32_t at) {
    uint32_t c = 0;
    for (; c + 4 <= p->channels; c += 4) {
        const int8_t *row = opc_i8(&p->x) + t->at + c;
        int8_t *y = (int8_t *)p->y.data + at + c;
        int32_t v0 = p->lo;
        int32_t v1 = p->lo;
        int32_t v2 = p->lo;
        int32_t v3 = p->lo;
        for (uint32_t r = t->rows; r != 0; r--, row += t->row_step) {
            const int8_t *x = row;
            for (uint32_t k = t->columns; k != 0; k--, x += p->channels) {
                v0 = x[0] > v0 ? x[0] : v0;
                v1 = x[1] > v1 ? x[1] : v1;
                v2 = x[2] > v2 ? x[2] : v2;
                v3 = x[3] > v3 ? x[3] : v3;
            }
        }
        y[0] = (int8_t)(v0 < p->hi ? v0 : p->hi);
        y[1] = (int8_t)(v1 < p->hi ? v1 : p->hi);
        y[2] = (int8_t)(v2 < p->hi ? v2 : p->hi);
        y[3] = (int8_t)(v3 < p->hi ? v3 : p->hi);
    }
    opc_pool_taps rest = *t;
    rest.first = c;
    opc_pool_largest(p, &rest, at);
}

static opc_status invoke(opc_node *node) {
    return opc_pool_invoke(node, fold);
}

const opc_op opc_max_pool_2d_int8 = {.code = OPC_CODE_MAX_POOL_2D,
                                     .key = OPC_KEY_INPUT0,
                                     .types = OPC_BIT(OPC_INT8),
                                     .prepare = opc_pool_prepare,
                                     .invoke = invoke};
