#include "binary.h"

enum { LEFT_SHIFT = 20 };

static opc_status prepare(opc_node *node) {
    return opc_sum_prepare(node, LEFT_SHIFT);
}

static opc_status invoke(opc_node *node) {
    opc_binary t;
    opc_walk w;
    opc_binary_views(node, &t);
    const opc_sum *s = opc_data(node);
    const int8_t *a = t.in[0].data;
    const int8_t *b = t.in[1].data;
    int8_t *y = t.out.data;
    const int32_t zero_a = opc_zero_point(&t.in[0], 0);
    const int32_t zero_b = opc_zero_point(&t.in[1], 0);
    const int32_t zero_y = opc_zero_point(&t.out, 0);
    opc_walk_start(&w, &t.out, t.in, 2);
    for (uint32_t i = 0; i < t.out.elements; i++, opc_walk_next(&w)) {
        const int32_t left = a[w.offset[0]] - zero_a;
        const int32_t right = b[w.offset[1]] - zero_b;
        y[i] = (int8_t)opc_sum_element(s, left, right, 1, LEFT_SHIFT, zero_y);
    }
    return OPC_OK;
}

const opc_op opc_add_int8 = {.code = OPC_CODE_ADD,
                             .key = OPC_KEY_INPUT0,
                             .flags = OPC_INPLACE_INPUT0 | OPC_INPLACE_INPUT1,
                             .types = OPC_BIT(OPC_INT8),
                             .prepare = prepare,
                             .invoke = invoke};
