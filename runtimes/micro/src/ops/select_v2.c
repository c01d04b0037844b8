#include <string.h>

#include "broadcast.h"
#include "kernel_util.h"

static opc_status fetch(opc_node *node, opc_tensor *in, opc_tensor *y) {
    OPC_TRY(opc_fetch(node, 3, in, y));
    OPC_TRY(opc_same_dtype(node, &in[1], &in[2]));
    OPC_TRY(opc_same_dtype(node, &in[1], y));
    if (in[0].dtype != OPC_BOOL || opc_dtype_bytes(y->dtype) == 0) {
        return OPC_FAIL(node, OPC_UNSUPPORTED, "the condition must be bool, the values of a fixed size");
    }
    return opc_broadcasts(y, in, 3) ? OPC_OK
                                    : OPC_FAIL(node, OPC_INVALID_MODEL, "shapes do not broadcast to the output");
}

static opc_status prepare(opc_node *node) {
    opc_tensor in[3];
    opc_tensor y;
    return fetch(node, in, &y);
}

static opc_status invoke(opc_node *node) {
    opc_tensor in[3];
    opc_tensor y;
    opc_walk w;
    OPC_TRY(fetch(node, in, &y));
    const uint32_t width = opc_dtype_bytes(y.dtype);
    opc_walk_start(&w, &y, in, 3);
    for (uint32_t i = 0; i < y.elements; i++, opc_walk_next(&w)) {
        const uint32_t from = opc_u8(&in[0])[w.offset[0]] != 0 ? 1 : 2;
        memcpy((uint8_t *)y.data + i * width, opc_u8(&in[from]) + w.offset[from] * width, width);
    }
    return OPC_OK;
}

const opc_op opc_select_v2 = {
    .code = OPC_CODE_SELECT_V2, .key = OPC_KEY_NONE, .types = OPC_ANY_TYPE, .prepare = prepare, .invoke = invoke};
