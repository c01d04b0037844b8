#include "kernel_shape.h"

typedef struct search {
    opc_tensor in[2];
    opc_tensor y;
    uint32_t axis;
} search;

static opc_status set_up(opc_node *node, search *s) {
    uint32_t axes;
    OPC_TRY(opc_fetch(node, 2, s->in, &s->y));
    if ((s->y.dtype != OPC_INT32 && s->y.dtype != OPC_INT64) || s->in[1].elements != 1 || s->in[0].rank == 0) {
        return OPC_FAIL(node, OPC_INVALID_MODEL,
                        "needs one axis, an input of rank at least 1 and an int32 or int64 output");
    }
    if (opc_option_u8(node, 0, OPC_FLOAT32) != s->y.dtype) {
        return OPC_FAIL(node, OPC_INVALID_MODEL, "output_type is not the output's dtype");
    }
    OPC_TRY(opc_reduced_axes(node, &s->in[0], &s->in[1], &s->y, false, &axes));
    for (s->axis = 0; axes != 0 && ((axes >> s->axis) & 1U) == 0;) {
        s->axis++;
    }
    return axes != 0 && s->in[0].dims[s->axis] == 0 ? OPC_FAIL(node, OPC_INVALID_MODEL, "the axis is empty") : OPC_OK;
}

static opc_status prepare(opc_node *node) {
    search s;
    return set_up(node, &s);
}

/* The first of equal values wins. */
static uint32_t find(const search *s, uint32_t from, uint32_t step) {
    const float *x = opc_f32(&s->in[0]) + from;
    uint32_t best = 0;
    for (uint32_t k = 1; k < (uint32_t)s->in[0].dims[s->axis]; k++) {
        best = x[k * step] > x[best * step] ? k : best;
    }
    return best;
}

static opc_status invoke(opc_node *node) {
    search s;
    OPC_TRY(set_up(node, &s));
    const opc_tensor *x = &s.in[0];
    const uint32_t inner = opc_product(x->dims, s.axis + 1, x->rank);
    for (uint32_t i = 0; i < s.y.elements; i++) {
        const uint32_t from = i / inner * inner * (uint32_t)x->dims[s.axis] + i % inner;
        const uint32_t at = find(&s, from, inner);
        if (s.y.dtype == OPC_INT64) {
            ((int64_t *)s.y.data)[i] = at;
        } else {
            ((int32_t *)s.y.data)[i] = (int32_t)at;
        }
    }
    return OPC_OK;
}

const opc_op opc_arg_max_float32 = {.code = OPC_CODE_ARG_MAX,
                                    .key = OPC_KEY_INPUT0,
                                    .types = OPC_BIT(OPC_FLOAT32),
                                    .prepare = prepare,
                                    .invoke = invoke};
