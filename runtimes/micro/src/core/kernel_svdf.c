#include "kernel_svdf.h"

static bool is_matrix(const opc_tensor *t, uint32_t rows, uint32_t columns) {
    return t->rank == 2 && (uint32_t)t->dims[0] == rows && (uint32_t)t->dims[1] == columns;
}

static bool fetch_all(const opc_node *node, opc_svdf *s) {
    (void)opc_input(node, 3, &s->bias);
    return opc_input_count(node) == 5 && opc_output_count(node) == 1 && opc_input(node, 0, &s->x) &&
           opc_input(node, 1, &s->w_feature) && opc_input(node, 2, &s->w_time) && opc_input(node, 4, &s->state) &&
           opc_output(node, 0, &s->y);
}

opc_status opc_svdf_fetch(opc_node *node, opc_svdf *s) {
    if (!fetch_all(node, s)) {
        return OPC_FAIL(node, OPC_INVALID_MODEL, "wrong number of inputs or outputs");
    }
    if (s->x.rank != 2 || s->w_time.rank != 2 || s->w_feature.rank != 2 || (s->state.flags & OPC_VARIABLE) == 0) {
        return OPC_FAIL(node, OPC_INVALID_MODEL, "input and weights must have rank 2, the state be a variable tensor");
    }
    const int32_t rank = opc_option_i32(node, 0, 0);
    s->activation = opc_option_u8(node, 1, OPC_ACT_NONE);
    s->batches = (uint32_t)s->x.dims[0];
    s->inputs = (uint32_t)s->x.dims[1];
    s->filters = (uint32_t)s->w_feature.dims[0];
    s->memory = (uint32_t)s->w_time.dims[1];
    s->rank = (uint32_t)rank;
    if (rank <= 0 || s->memory == 0 || s->filters % s->rank != 0) {
        return OPC_FAIL(node, OPC_INVALID_MODEL, "rank and memory must be above 0, filters a multiple of the rank");
    }
    s->units = s->filters / s->rank;
    /* filters * memory = elements of w_time, which fits */
    if (!is_matrix(&s->w_feature, s->filters, s->inputs) || !is_matrix(&s->w_time, s->filters, s->memory) ||
        !is_matrix(&s->state, s->batches, s->filters * s->memory) || !is_matrix(&s->y, s->batches, s->units) ||
        (s->bias.dims != NULL && s->bias.elements != s->units)) {
        return OPC_FAIL(node, OPC_INVALID_MODEL,
                        "shapes of input, weights, bias, state and output do not fit together");
    }
    return OPC_OK;
}

void opc_svdf_shift(const opc_svdf *s) {
    const uint32_t width = opc_dtype_bytes(s->state.dtype);
    if (s->state.elements > 1) {
        opc_copy(s->state.data, opc_u8(&s->state) + width, s->state.elements - 1U, width);
    }
}
