#include "kernel_move.h"

/* params [batch..., outer..., axis, inner...], positions [batch..., P...] -> [batch..., outer..., P..., inner...]. */
typedef struct gather {
    opc_tensor in[2];
    opc_tensor y;
    uint32_t axis;
    uint32_t batch_rank;
} gather;

static bool shape_fits(const gather *g) {
    const opc_tensor *x = &g->in[0];
    const opc_tensor *p = &g->in[1];
    const uint32_t taken = p->rank - g->batch_rank;
    for (uint32_t d = 0; d < g->batch_rank; d++) {
        if (x->dims[d] != p->dims[d]) {
            return false;
        }
    }
    for (uint32_t d = 0; d < g->y.rank; d++) {
        const uint32_t from = d - g->axis;
        if (g->y.dims[d] != (d < g->axis    ? x->dims[d]
                             : from < taken ? p->dims[g->batch_rank + from]
                                            : x->dims[d + 1U - taken])) {
            return false;
        }
    }
    return true;
}

static bool positions_fit(const gather *g) {
    const int32_t size = g->in[0].dims[g->axis];
    for (uint32_t i = 0; i < g->in[1].elements; i++) {
        const int32_t at = opc_load_size(&g->in[1], i);
        if (at < 0 || at >= size) {
            return false;
        }
    }
    return true;
}

static opc_status set_up(opc_node *node, gather *g) {
    OPC_TRY(opc_fetch_alike(node, 2, 0, g->in, &g->y));
    if (!opc_is_index_type(g->in[1].dtype)) {
        return OPC_FAIL(node, OPC_UNSUPPORTED, "positions must be int16, int32 or int64");
    }
    if (!opc_normal_axis(opc_option_i32(node, 0, 0), g->in[0].rank, &g->axis)) {
        return OPC_FAIL(node, OPC_INVALID_MODEL, "axis out of range");
    }
    const int32_t batch = opc_option_i32(node, 1, 0);
    /* A negative one wraps to its place behind the front, or to a huge number. */
    g->batch_rank = (uint32_t)batch + (batch < 0 ? g->in[1].rank : 0U);
    if (g->batch_rank > g->in[1].rank || g->batch_rank > g->axis) {
        return OPC_FAIL(node, OPC_INVALID_MODEL, "batch_dims out of range");
    }
    if (g->y.rank != g->in[0].rank - 1U + g->in[1].rank - g->batch_rank || !shape_fits(g)) {
        return opc_fail_shape(node);
    }
    return g->in[1].data == NULL || positions_fit(g) ? OPC_OK : opc_fail_values(node, &g->in[1]);
}

static opc_status run(opc_node *node) {
    gather g;
    OPC_TRY(set_up(node, &g));
    if (g.y.data == NULL || g.y.elements == 0) {
        return OPC_OK;
    }
    const opc_tensor *x = &g.in[0];
    const uint32_t batches = opc_product(x->dims, 0, g.batch_rank);
    const uint32_t outer = opc_product(x->dims, g.batch_rank, g.axis);
    const uint32_t slice = opc_product(x->dims, g.axis + 1, x->rank) * opc_dtype_bytes(x->dtype);
    const uint32_t taken = opc_product(g.in[1].dims, g.batch_rank, g.in[1].rank);
    const uint32_t slab = (uint32_t)x->dims[g.axis] * slice;
    const uint8_t *from = x->data;
    uint8_t *to = g.y.data;
    for (uint32_t b = 0; b < batches; b++) {
        for (uint32_t o = 0; o < outer; o++, from += slab) {
            for (uint32_t i = 0; i < taken; i++, to += slice) {
                const uint32_t at = (uint32_t)opc_load_size(&g.in[1], b * taken + i);
                opc_copy(to, from + at * slice, slice, 1);
            }
        }
    }
    return OPC_OK;
}

const opc_op opc_gather = {
    .code = OPC_CODE_GATHER, .key = OPC_KEY_NONE, .types = OPC_ANY_TYPE, .prepare = run, .invoke = run};
