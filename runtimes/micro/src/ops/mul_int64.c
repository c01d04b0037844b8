#include "binary.h"
#include "kernel_clamp.h"

static opc_status set_up(opc_node *node, opc_binary *b, int64_t *lo, int64_t *hi) {
    OPC_TRY(opc_binary_check(node, b, OPC_INT64));
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
        const int64_t x0 = ((const int64_t *)b.in[0].data)[w.offset[0]];
        const int64_t x1 = ((const int64_t *)b.in[1].data)[w.offset[1]];
        ((int64_t *)b.out.data)[i] = (int64_t)opc_clamp64(opc_mul64(x0, x1), lo, hi);
    }
    return OPC_OK;
}

const opc_op opc_mul_int64 = {.code = OPC_CODE_MUL,
                              .key = OPC_KEY_INPUT0,
                              .flags = OPC_INPLACE_INPUT0 | OPC_INPLACE_INPUT1,
                              .types = OPC_BIT(OPC_INT64),
                              .prepare = prepare,
                              .invoke = invoke};
