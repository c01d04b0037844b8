#include "kernel_depth.h"

static opc_status run(opc_node *node) {
    return opc_depth(node, false);
}

const opc_op opc_space_to_depth = {
    .code = OPC_CODE_SPACE_TO_DEPTH, .key = OPC_KEY_NONE, .types = OPC_ANY_TYPE, .prepare = run, .invoke = run};
