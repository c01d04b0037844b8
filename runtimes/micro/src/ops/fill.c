#include "kernel_move.h"

static opc_status fill(opc_node *node) {
    opc_tensor in[2];
    opc_tensor y;
    OPC_TRY(opc_fetch_alike(node, 2, 1, in, &y));
    OPC_TRY(opc_need_dims(node, &in[0], &y));
    if (in[1].rank != 0) {
        return opc_fail_shape(node);
    }
    if (y.data != NULL) {
        opc_fill_with(&y, in[1].data);
    }
    return OPC_OK;
}

const opc_op opc_fill = {
    .code = OPC_CODE_FILL, .key = OPC_KEY_NONE, .types = OPC_ANY_TYPE, .prepare = fill, .invoke = fill};
