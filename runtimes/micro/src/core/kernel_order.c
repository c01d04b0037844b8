#include "kernel_order.h"

#include "kernel_shape.h"

uint32_t opc_find_float(const opc_tensor *t, bool largest, uint32_t best, uint32_t at, uint32_t run, uint32_t step) {
    const float *x = opc_f32(t);
    for (; run != 0; run--, at += step) {
        best = (largest ? x[at] > x[best] : x[at] < x[best]) ? at : best;
    }
    return best;
}

/* The order of integers is turned by inverting their bits. */
static uint32_t find_byte(const opc_tensor *t, bool largest, uint32_t best, uint32_t at, uint32_t run, uint32_t step) {
    const uint8_t *x = opc_u8(t);
    const uint8_t flip = (uint8_t)(opc_flip(t) ^ (largest ? 0U : 0xFFU));
    int32_t top = opc_read_8(x + best, flip);
    for (; run != 0; run--, at += step) {
        const int32_t value = opc_read_8(x + at, flip);
        if (value > top) {
            top = value;
            best = at;
        }
    }
    return best;
}

uint32_t opc_find_whole(const opc_tensor *t, bool largest, uint32_t best, uint32_t at, uint32_t run, uint32_t step) {
    if (opc_dtype_bytes(t->dtype) == 1) {
        return find_byte(t, largest, best, at, run, step);
    }
    const int64_t flip = largest ? 0 : -1;
    int64_t top = opc_load_index(t, best) ^ flip;
    for (; run != 0; run--, at += step) {
        const int64_t value = opc_load_index(t, at) ^ flip;
        if (value > top) {
            top = value;
            best = at;
        }
    }
    return best;
}

typedef struct search {
    opc_tensor in[2];
    opc_tensor y;
    uint32_t length; /* of the axis */
    uint32_t inner;  /* elements between neighbours along it */
} search;

static opc_status start(opc_node *node, search *s) {
    uint32_t axes;
    uint32_t axis = 0;
    OPC_TRY(opc_fetch(node, 2, s->in, &s->y));
    if ((s->y.dtype != OPC_INT32 && s->y.dtype != OPC_INT64) || s->in[1].elements != 1 || s->in[0].rank == 0) {
        return OPC_FAIL(node, OPC_INVALID_MODEL,
                        "needs one axis, an input of rank at least 1 and an int32 or int64 output");
    }
    if (opc_option_u8(node, 0, OPC_FLOAT32) != s->y.dtype) {
        return OPC_FAIL(node, OPC_INVALID_MODEL, "output_type is not the output's dtype");
    }
    OPC_TRY(opc_reduced_axes(node, &s->in[0], &s->in[1], &s->y, false, &axes));
    while (axes >> axis > 1U) {
        axis++;
    }
    s->length = (uint32_t)s->in[0].dims[axis];
    s->inner = opc_product(s->in[0].dims, axis + 1, s->in[0].rank);
    return axes != 0 && s->length == 0 ? OPC_FAIL(node, OPC_INVALID_MODEL, "the axis is empty") : OPC_OK;
}

opc_status opc_arg_prepare(opc_node *node) {
    search s;
    return start(node, &s);
}

opc_status opc_arg_extreme(opc_node *node, opc_finder *find, bool largest) {
    search s;
    OPC_TRY(start(node, &s));
    uint32_t from = 0;
    uint32_t column = 0;
    for (uint32_t i = 0; i < s.y.elements; i++) {
        const uint32_t best = find(&s.in[0], largest, from, from, s.length, s.inner);
        const int32_t at = (int32_t)((best - from) / s.inner);
        if (s.y.dtype == OPC_INT64) {
            ((int64_t *)s.y.data)[i] = at;
        } else {
            ((int32_t *)s.y.data)[i] = at;
        }
        from++;
        column++;
        if (column == s.inner) {
            column = 0;
            from += s.inner * (s.length - 1U);
        }
    }
    return OPC_OK;
}
