#include "kernel_pad.h"

static opc_status pad(opc_node *node) {
    opc_tensor in[3];
    opc_tensor y;
    uint32_t start[OPC_MAX_RANK];
    OPC_TRY(opc_pad_fetch(node, 3, in, &y, start));
    OPC_TRY(opc_need_alike(node, &in[2], &y));
    if (in[2].elements != 1) {
        return opc_fail_shape(node);
    }
    if (y.data != NULL) {
        opc_fill_with(&y, in[2].data);
        opc_box_write(&y, &in[0], start);
    }
    return OPC_OK;
}

const opc_op opc_padv2 = {
    .code = OPC_CODE_PADV2, .key = OPC_KEY_NONE, .types = OPC_ANY_TYPE, .prepare = pad, .invoke = pad};
