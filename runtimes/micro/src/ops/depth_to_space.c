#include "kernel_depth.h"

static opc_status run(opc_node *node) {
    return opc_depth(node, true);
}

const opc_op opc_depth_to_space = {
    .code = OPC_CODE_DEPTH_TO_SPACE, .key = OPC_KEY_NONE, .types = OPC_ANY_TYPE, .prepare = run, .invoke = run};
