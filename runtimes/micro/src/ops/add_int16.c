/* Quantized int16, or plain int16 where no tensor has a scale. */
#include "binary.h"

enum { LEFT_SHIFT = 15 };

static bool is_plain(const opc_binary *t) {
    return t->in[0].scale_count == 0 && t->in[1].scale_count == 0 && t->out.scale_count == 0;
}

static opc_status prepare(opc_node *node) {
    opc_binary t;
    int64_t lo;
    int64_t hi;
    if (!opc_binary_views(node, &t) || !is_plain(&t)) {
        return opc_sum_prepare(node, LEFT_SHIFT);
    }
    const opc_status status = opc_binary_check(node, &t, OPC_INT16);
    return status != OPC_OK ? status : opc_raw_activation_range(node, opc_option_u8(node, 0, OPC_ACT_NONE), &lo, &hi);
}

/* Sums wrap, as those of int32 and int64 do. */
static void add_plain(const opc_node *node, const opc_binary *t, opc_walk *w) {
    int64_t lo;
    int64_t hi;
    (void)opc_raw_activation_range(NULL, opc_option_u8(node, 0, OPC_ACT_NONE), &lo, &hi);
    const int16_t *a = t->in[0].data;
    const int16_t *b = t->in[1].data;
    int16_t *y = t->out.data;
    for (uint32_t i = 0; i < t->out.elements; i++, opc_walk_next(w)) {
        const int16_t sum = (int16_t)(uint16_t)(a[w->offset[0]] + b[w->offset[1]]);
        y[i] = sum < lo ? (int16_t)lo : sum > hi ? (int16_t)hi : sum;
    }
}

static void add_quantized(const opc_node *node, const opc_binary *t, opc_walk *w) {
    const opc_sum *s = opc_data(node);
    const int16_t *a = t->in[0].data;
    const int16_t *b = t->in[1].data;
    int16_t *y = t->out.data;
    for (uint32_t i = 0; i < t->out.elements; i++, opc_walk_next(w)) {
        y[i] = (int16_t)opc_sum_element(s, a[w->offset[0]], b[w->offset[1]], 1, LEFT_SHIFT, 0);
    }
}

static opc_status invoke(opc_node *node) {
    opc_binary t;
    opc_walk w;
    (void)opc_binary_views(node, &t);
    opc_walk_start(&w, &t.out, t.in, 2);
    if (is_plain(&t)) {
        add_plain(node, &t, &w);
    } else {
        add_quantized(node, &t, &w);
    }
    return OPC_OK;
}

const opc_op opc_add_int16 = {.code = OPC_CODE_ADD,
                              .key = OPC_KEY_INPUT0,
                              .flags = OPC_INPLACE_INPUT0 | OPC_INPLACE_INPUT1,
                              .types = OPC_BIT(OPC_INT16),
                              .prepare = prepare,
                              .invoke = invoke};
