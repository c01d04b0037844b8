#include "kernel_batch.h"

static opc_status run(opc_node *node) {
    return opc_batch(node, false);
}

const opc_op opc_space_to_batch_nd = {
    .code = OPC_CODE_SPACE_TO_BATCH_ND, .key = OPC_KEY_NONE, .types = OPC_ANY_TYPE, .prepare = run, .invoke = run};
