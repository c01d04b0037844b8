#include "binary.h"

static opc_status prepare(opc_node *node) {
    opc_binary t;
    int64_t lo;
    int64_t hi;
    const opc_status status = opc_binary_check(node, &t, OPC_INT32);
    return status != OPC_OK ? status : opc_raw_activation_range(node, opc_option_u8(node, 0, OPC_ACT_NONE), &lo, &hi);
}

static opc_status invoke(opc_node *node) {
    opc_binary t;
    opc_walk w;
    int64_t lo;
    int64_t hi;
    opc_binary_views(node, &t);
    opc_raw_activation_range(node, opc_option_u8(node, 0, OPC_ACT_NONE), &lo, &hi);
    const int32_t *a = t.in[0].data;
    const int32_t *b = t.in[1].data;
    int32_t *y = t.out.data;
    opc_walk_start(&w, &t.out, t.in, 2);
    for (uint32_t i = 0; i < t.out.elements; i++, opc_walk_next(&w)) {
        /* Sums wrap, as in two's complement machines; unsigned, because signed overflow is undefined. */
        const int32_t sum = (int32_t)((uint32_t)a[w.offset[0]] + (uint32_t)b[w.offset[1]]);
        y[i] = sum < lo ? (int32_t)lo : sum > hi ? (int32_t)hi : sum;
    }
    return OPC_OK;
}

const opc_op opc_add_int32 = {.code = OPC_CODE_ADD,
                              .key = OPC_KEY_INPUT0,
                              .flags = OPC_INPLACE_INPUT0 | OPC_INPLACE_INPUT1,
                              .types = OPC_BIT(OPC_INT32),
                              .prepare = prepare,
                              .invoke = invoke};
