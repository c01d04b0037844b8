#include "kernel_util.h"

static opc_status fetch(opc_node *node, opc_tensor *x, opc_tensor *y) {
    OPC_TRY(opc_fetch(node, 1, x, y));
    if (opc_dtype_bytes(x->dtype) == 0 || y->dtype != OPC_INT64) {
        return OPC_FAIL(node, OPC_INVALID_MODEL, "the input must have a fixed size, the output be int64");
    }
    return x->rank > 0 ? OPC_OK : OPC_FAIL(node, OPC_INVALID_MODEL, "rank must be at least 1");
}

static opc_status prepare(opc_node *node) {
    opc_tensor x;
    opc_tensor y;
    OPC_TRY(fetch(node, &x, &y));
    const int32_t bound[2] = {(int32_t)x.elements, x.rank};
    return opc_set_dims(node, 0, 2, bound);
}

/* Any bit set? For floats the sign does not count: -0.0 is zero. */
static bool is_set(const opc_tensor *x, uint32_t i) {
    const uint32_t width = opc_dtype_bytes(x->dtype);
    const bool is_float = x->dtype == OPC_FLOAT32 || x->dtype == OPC_FLOAT16 || x->dtype == OPC_FLOAT64;
    const uint8_t *bytes = opc_u8(x) + i * width;
    uint32_t any = is_float ? bytes[width - 1U] & 0x7FU : bytes[width - 1U];
    for (uint32_t k = 0; k + 1U < width; k++) {
        any |= bytes[k];
    }
    return any != 0;
}

static void write_index(const opc_tensor *x, uint32_t i, int64_t *to) {
    for (uint32_t d = x->rank; d-- > 0;) {
        const uint32_t dim = (uint32_t)x->dims[d];
        to[d] = i % dim;
        i /= dim;
    }
}

static opc_status invoke(opc_node *node) {
    opc_tensor x;
    opc_tensor y;
    OPC_TRY(fetch(node, &x, &y));
    int32_t dims[2] = {0, x.rank};
    int64_t *to = y.data;
    for (uint32_t i = 0; i < x.elements; i++) {
        if (is_set(&x, i)) {
            write_index(&x, i, to + (uint32_t)dims[0] * x.rank);
            dims[0]++;
        }
    }
    return opc_set_dims(node, 0, 2, dims);
}

const opc_op opc_where = {
    .code = OPC_CODE_WHERE, .key = OPC_KEY_NONE, .types = OPC_ANY_TYPE, .prepare = prepare, .invoke = invoke};
