#include <string.h>

#include "kernel_shape.h"

static opc_status check_sizes(opc_node *node, const opc_tensor *in, const opc_tensor *y) {
    const opc_status status = (in[1].flags & OPC_CONSTANT) != 0 ? OPC_INVALID_MODEL : OPC_INVALID_INPUT;
    for (uint32_t d = 0; d < y->rank; d++) {
        const int64_t before = opc_load_index(&in[1], 2 * d);
        const int64_t after = opc_load_index(&in[1], 2 * d + 1);
        /* each part is at most the output's dimension, so the sum cannot overflow */
        if (before < 0 || after < 0 || before > y->dims[d] || after > y->dims[d] ||
            in[0].dims[d] + before + after != y->dims[d]) {
            return OPC_FAIL(node, status, "paddings are negative or do not fit the output's shape");
        }
    }
    return OPC_OK;
}

static opc_status fetch(opc_node *node, opc_tensor *in, opc_tensor *y) {
    OPC_TRY(opc_fetch(node, 2, in, y));
    OPC_TRY(opc_same_dtype(node, &in[0], y));
    if (opc_dtype_bytes(y->dtype) == 0 || !(opc_is_index_type(in[1].dtype) || in[1].dtype == OPC_INT8)) {
        return OPC_FAIL(node, OPC_UNSUPPORTED, "this dtype is not supported");
    }
    if (in[0].rank != y->rank || in[1].elements != 2U * y->rank) {
        return OPC_FAIL(node, OPC_INVALID_MODEL, "paddings must have two elements per dimension");
    }
    if (!opc_same_quantization(&in[0], y)) {
        return OPC_FAIL(node, OPC_INVALID_MODEL, "input and output must have the same quantization");
    }
    return in[1].data == NULL ? OPC_OK : check_sizes(node, in, y);
}

static opc_status prepare(opc_node *node) {
    opc_tensor in[2];
    opc_tensor y;
    return fetch(node, in, &y);
}

/* Fill with the integer that stands for 0. Only 8-bit types have another one than 0: wider ones are symmetric. */
static void fill(const opc_tensor *y) {
    const bool narrow = y->dtype == OPC_INT8 || y->dtype == OPC_UINT8;
    if (y->bytes != 0) {
        memset(y->data, narrow ? (uint8_t)opc_zero_point(y, 0) : 0, y->bytes);
    }
}

static opc_status invoke(opc_node *node) {
    opc_tensor in[2];
    opc_tensor y;
    opc_odometer rows;
    OPC_TRY(fetch(node, in, &y));
    fill(&y);
    const uint32_t width = opc_dtype_bytes(y.dtype);
    const uint32_t last = y.rank == 0 ? 0 : y.rank - 1U;
    const uint32_t run = y.rank == 0 ? 1 : (uint32_t)in[0].dims[last];
    uint32_t origin = 0; /* where the input's first element goes */
    for (uint32_t d = 0; d < y.rank; d++) {
        origin = origin * (uint32_t)y.dims[d] + (uint32_t)opc_load_index(&in[1], 2 * d);
    }
    opc_odometer_clear(&rows);
    uint32_t stride = y.rank == 0 ? 1 : (uint32_t)y.dims[last];
    for (uint32_t d = last; d-- > 0; stride *= (uint32_t)y.dims[d]) {
        opc_odometer_add(&rows, (uint32_t)in[0].dims[d], stride);
    }
    const uint8_t *from = in[0].data;
    for (uint32_t r = 0; run != 0 && r < rows.count; r++, from += run * width, opc_odometer_next(&rows)) {
        opc_copy((uint8_t *)y.data + (size_t)(origin + rows.offset) * width, from, run, width);
    }
    return OPC_OK;
}

const opc_op opc_pad = {
    .code = OPC_CODE_PAD, .key = OPC_KEY_NONE, .types = OPC_ANY_TYPE, .prepare = prepare, .invoke = invoke};
