#include "kernel_util.h"

static opc_status shape(opc_node *node) {
    opc_tensor x;
    opc_tensor y;
    OPC_TRY(opc_fetch(node, 1, &x, &y));
    if ((y.dtype != OPC_INT32 && y.dtype != OPC_INT64) || opc_option_u8(node, 0, OPC_FLOAT32) != y.dtype ||
        y.rank != 1 || y.elements != x.rank) {
        return OPC_FAIL(node, OPC_INVALID_MODEL, "the output must be a vector of integers, one for each dimension");
    }
    for (uint32_t d = 0; y.data != NULL && d < x.rank; d++) {
        opc_store_index(&y, d, x.dims[d]);
    }
    return OPC_OK;
}

const opc_op opc_shape = {.code = OPC_CODE_SHAPE,
                          .key = OPC_KEY_NONE,
                          .flags = OPC_DYNAMIC_OK,
                          .types = OPC_ANY_TYPE,
                          .prepare = shape,
                          .invoke = shape};
