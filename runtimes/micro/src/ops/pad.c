#include "kernel_pad.h"

static opc_status pad(opc_node *node) {
    opc_tensor in[2];
    opc_tensor y;
    uint32_t start[OPC_MAX_RANK];
    OPC_TRY(opc_pad_fetch(node, 2, in, &y, start));
    if (y.data != NULL) {
        opc_fill_zero(&y);
        opc_box_write(&y, &in[0], start);
    }
    return OPC_OK;
}

const opc_op opc_pad = {
    .code = OPC_CODE_PAD, .key = OPC_KEY_NONE, .types = OPC_ANY_TYPE, .prepare = pad, .invoke = pad};
