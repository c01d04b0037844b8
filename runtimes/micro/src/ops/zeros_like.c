#include "kernel_move.h"

static opc_status zeros_like(opc_node *node) {
    opc_tensor x;
    opc_tensor y;
    OPC_TRY(opc_fetch_alike(node, 1, 0, &x, &y));
    if (!opc_same_shape(&x, &y)) {
        return opc_fail_shape(node);
    }
    if (y.data != NULL) {
        opc_fill_zero(&y);
    }
    return OPC_OK;
}

const opc_op opc_zeros_like = {.code = OPC_CODE_ZEROS_LIKE,
                               .key = OPC_KEY_NONE,
                               .flags = OPC_INPLACE_INPUT0,
                               .types = OPC_ANY_TYPE,
                               .prepare = zeros_like,
                               .invoke = zeros_like};
