#include "kernel_util.h"

/* params [batch..., outer..., axis, inner...], positions [batch..., P...] -> [batch..., outer..., P..., inner...]. */
typedef struct gather {
    opc_tensor in[2];
    opc_tensor y;
    uint32_t axis;
    uint32_t batch_rank;
} gather;

static bool equal_dims(const int32_t *a, const int32_t *b, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        if (a[i] != b[i]) {
            return false;
        }
    }
    return true;
}

static bool shape_fits(const gather *g) {
    const opc_tensor *x = &g->in[0];
    const opc_tensor *p = &g->in[1];
    const uint32_t taken = p->rank - g->batch_rank;
    return g->y.rank == x->rank - 1U + taken && equal_dims(x->dims, p->dims, g->batch_rank) &&
           equal_dims(g->y.dims, x->dims, g->axis) && equal_dims(g->y.dims + g->axis, p->dims + g->batch_rank, taken) &&
           equal_dims(g->y.dims + g->axis + taken, x->dims + g->axis + 1U, x->rank - 1U - g->axis);
}

static bool positions_fit(const gather *g) {
    const int64_t size = g->in[0].dims[g->axis];
    for (uint32_t i = 0; i < g->in[1].elements; i++) {
        const int64_t at = opc_load_index(&g->in[1], i);
        if (at < 0 || at >= size) {
            return false;
        }
    }
    return true;
}

static opc_status set_up(opc_node *node, gather *g) {
    OPC_TRY(opc_fetch(node, 2, g->in, &g->y));
    OPC_TRY(opc_same_dtype(node, &g->in[0], &g->y));
    if (opc_dtype_bytes(g->y.dtype) == 0 || !opc_is_index_type(g->in[1].dtype)) {
        return OPC_FAIL(node, OPC_UNSUPPORTED, "values must have a fixed size, positions be int16, int32 or int64");
    }
    if (!opc_normal_axis(opc_option_i32(node, 0, 0), g->in[0].rank, &g->axis)) {
        return OPC_FAIL(node, OPC_INVALID_MODEL, "axis out of range");
    }
    const int32_t batch = opc_option_i32(node, 1, 0);
    const int64_t normal = batch < 0 ? (int64_t)batch + g->in[1].rank : batch;
    if (normal < 0 || normal > g->in[1].rank || normal > (int64_t)g->axis) {
        return OPC_FAIL(node, OPC_INVALID_MODEL, "batch_dims out of range");
    }
    g->batch_rank = (uint32_t)normal;
    if (!shape_fits(g)) {
        return OPC_FAIL(node, OPC_INVALID_MODEL, "shapes of values, positions and output do not fit together");
    }
    if (g->in[1].data == NULL || positions_fit(g)) {
        return OPC_OK;
    }
    return OPC_FAIL(node, (g->in[1].flags & OPC_CONSTANT) != 0 ? OPC_INVALID_MODEL : OPC_INVALID_INPUT,
                    "a position is outside of the axis");
}

static opc_status prepare(opc_node *node) {
    gather g;
    return set_up(node, &g);
}

static opc_status invoke(opc_node *node) {
    gather g;
    OPC_TRY(set_up(node, &g));
    const opc_tensor *x = &g.in[0];
    const uint32_t width = opc_dtype_bytes(x->dtype);
    const uint32_t batches = opc_product(x->dims, 0, g.batch_rank);
    const uint32_t outer = opc_product(x->dims, g.batch_rank, g.axis);
    const uint32_t inner = opc_product(x->dims, g.axis + 1, x->rank);
    const uint32_t taken = opc_product(g.in[1].dims, g.batch_rank, g.in[1].rank);
    const uint32_t slab = (uint32_t)x->dims[g.axis] * inner * width;
    const uint8_t *from = x->data;
    uint8_t *to = g.y.data;
    if (g.y.elements == 0) {
        return OPC_OK;
    }
    for (uint32_t b = 0; b < batches; b++) {
        for (uint32_t o = 0; o < outer; o++, from += slab) {
            for (uint32_t i = 0; i < taken; i++, to += inner * width) {
                const uint32_t at = (uint32_t)opc_load_index(&g.in[1], b * taken + i);
                opc_copy(to, from + (size_t)at * inner * width, inner, width);
            }
        }
    }
    return OPC_OK;
}

const opc_op opc_gather = {
    .code = OPC_CODE_GATHER, .key = OPC_KEY_NONE, .types = OPC_ANY_TYPE, .prepare = prepare, .invoke = invoke};
