#include "kernel_lookup.h"

static opc_status lookup(opc_node *node) {
    opc_tensor in[2];
    opc_tensor y;
    OPC_TRY(opc_lookup_fetch(node, in, &y));
    OPC_TRY(opc_need_alike(node, &in[1], &y));
    if (y.data != NULL) {
        opc_lookup_copy(in, &y);
    }
    return OPC_OK;
}

const opc_op opc_embedding_lookup = {.code = OPC_CODE_EMBEDDING_LOOKUP,
                                     .key = OPC_KEY_OUTPUT0,
                                     .types = ~OPC_BIT(OPC_FLOAT32),
                                     .prepare = lookup,
                                     .invoke = lookup};
