#include "binary.h"

static opc_status prepare(opc_node *node) {
    opc_binary t;
    int64_t lo;
    int64_t hi;
    const opc_status status = opc_binary_check(node, &t, OPC_INT64);
    return status != OPC_OK ? status : opc_raw_activation_range(node, opc_option_u8(node, 0, OPC_ACT_NONE), &lo, &hi);
}

static opc_status invoke(opc_node *node) {
    opc_binary t;
    opc_walk w;
    int64_t lo;
    int64_t hi;
    opc_binary_views(node, &t);
    opc_raw_activation_range(node, opc_option_u8(node, 0, OPC_ACT_NONE), &lo, &hi);
    const int64_t *a = t.in[0].data;
    const int64_t *b = t.in[1].data;
    int64_t *y = t.out.data;
    opc_walk_start(&w, &t.out, t.in, 2);
    for (uint32_t i = 0; i < t.out.elements; i++, opc_walk_next(&w)) {
        /* Sums wrap, as in two's complement machines; unsigned, because signed overflow is undefined. */
        const int64_t sum = (int64_t)((uint64_t)a[w.offset[0]] + (uint64_t)b[w.offset[1]]);
        y[i] = sum < lo ? (int64_t)lo : sum > hi ? (int64_t)hi : sum;
    }
    return OPC_OK;
}

const opc_op opc_add_int64 = {.code = OPC_CODE_ADD,
                              .key = OPC_KEY_INPUT0,
                              .flags = OPC_INPLACE_INPUT0 | OPC_INPLACE_INPUT1,
                              .types = OPC_BIT(OPC_INT64),
                              .prepare = prepare,
                              .invoke = invoke};
