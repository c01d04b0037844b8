#include "kernel_pool.h"

/* Mean of the taps inside the input, halves away from zero, on raw values: equal quantization makes that exact. */
static int32_t pool(const int8_t *x, const opc_pool_taps *t, uint32_t step) {
    int32_t sum = 0; /* modulo 2^32; |x| <= 2^15, so 2^16 taps are exact */
    for (uint32_t r = 0; r < t->rows; r++) {
        const int8_t *row = x + r * t->row_step;
        for (uint32_t c = 0; c < t->columns; c++) {
            sum = opc_add32(sum, row[c * step]);
        }
    }
    const int32_t count = (int32_t)(t->rows * t->columns);
    return opc_add32(sum, sum > 0 ? count / 2 : -(count / 2)) / count;
}

static opc_status prepare(opc_node *node) {
    opc_pool p;
    int32_t lo;
    int32_t hi;
    return opc_pool_integer(node, &p, &lo, &hi);
}

static opc_status invoke(opc_node *node) {
    opc_pool p;
    int32_t lo;
    int32_t hi;
    OPC_TRY(opc_pool_integer(node, &p, &lo, &hi));
    int8_t *y = p.y.data;
    const uint32_t positions = p.channels == 0 ? 0 : p.y.elements / p.channels;
    for (uint32_t i = 0; i < positions; i++) {
        const opc_pool_taps t = opc_pool_position(&p, i);
        for (uint32_t c = 0; c < p.channels; c++) {
            *y++ = (int8_t)opc_clamp(pool((const int8_t *)p.x.data + t.at + c, &t, p.channels), lo, hi);
        }
    }
    return OPC_OK;
}

const opc_op opc_average_pool_2d_int8 = {.code = OPC_CODE_AVERAGE_POOL_2D,
                                         .key = OPC_KEY_INPUT0,
                                         .types = OPC_BIT(OPC_INT8),
                                         .prepare = prepare,
                                         .invoke = invoke};
