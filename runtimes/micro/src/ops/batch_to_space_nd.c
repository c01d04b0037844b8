#include "kernel_batch.h"

static opc_status run(opc_node *node) {
    return opc_batch(node, true);
}

const opc_op opc_batch_to_space_nd = {
    .code = OPC_CODE_BATCH_TO_SPACE_ND, .key = OPC_KEY_NONE, .types = OPC_ANY_TYPE, .prepare = run, .invoke = run};
