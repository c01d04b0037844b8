#include "binary.h"
#include "kernel_clamp.h"

/* Towards zero; the one overflow wraps. */
static int32_t divide(int32_t a, int32_t b) {
    return b == -1 ? opc_sub32(0, a) : a / b;
}

static opc_status set_up(opc_node *node, opc_binary *b, int64_t *lo, int64_t *hi) {
    OPC_TRY(opc_binary_check(node, b, OPC_INT32));
    return opc_plain_activation_range(node, opc_option_u8(node, 0, OPC_ACT_NONE), lo, hi);
}

static opc_status prepare(opc_node *node) {
    opc_binary b;
    int64_t lo;
    int64_t hi;
    return set_up(node, &b, &lo, &hi);
}

static opc_status invoke(opc_node *node) {
    opc_binary b;
    opc_walk w;
    int64_t lo;
    int64_t hi;
    OPC_TRY(set_up(node, &b, &lo, &hi));
    opc_walk_start(&w, &b.out, b.in, 2);
    for (uint32_t i = 0; i < b.out.elements; i++, opc_walk_next(&w)) {
        const int32_t x0 = ((const int32_t *)b.in[0].data)[w.offset[0]];
        const int32_t x1 = ((const int32_t *)b.in[1].data)[w.offset[1]];
        if (x1 == 0) {
            return OPC_FAIL(node, OPC_INVALID_INPUT, "division by zero");
        }
        ((int32_t *)b.out.data)[i] = (int32_t)opc_clamp64(divide(x0, x1), lo, hi);
    }
    return OPC_OK;
}

const opc_op opc_div_int32 = {.code = OPC_CODE_DIV,
                              .key = OPC_KEY_INPUT0,
                              .flags = OPC_INPLACE_INPUT0 | OPC_INPLACE_INPUT1,
                              .types = OPC_BIT(OPC_INT32),
                              .prepare = prepare,
                              .invoke = invoke};
