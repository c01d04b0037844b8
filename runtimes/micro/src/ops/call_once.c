#include "kernel_util.h"

/* The node's data is one flag: has the subgraph run? */

static opc_status prepare(opc_node *node) {
    const int32_t init = opc_option_i32(node, 0, 0);
    OPC_TRY(opc_use_subgraph(node, init));
    if (opc_input_count(node) != 0 || opc_output_count(node) != 0 || opc_subgraph_input_count(node, init) != 0 ||
        opc_subgraph_output_count(node, init) != 0) {
        return OPC_FAIL(node, OPC_INVALID_MODEL, "an initialization takes and gives nothing");
    }
    return opc_alloc(node, sizeof(uint32_t)) == NULL ? OPC_NO_MEMORY : OPC_OK;
}

static opc_status invoke(opc_node *node) {
    uint32_t *done = opc_data(node);
    if (*done == 0) {
        OPC_TRY(opc_invoke_subgraph(node, opc_option_i32(node, 0, 0)));
        *done = 1;
    }
    return OPC_OK;
}

const opc_op opc_call_once = {.code = OPC_CODE_CALL_ONCE,
                              .key = OPC_KEY_NONE,
                              .flags = OPC_STARTS_ANEW,
                              .types = OPC_ANY_TYPE,
                              .prepare = prepare,
                              .invoke = invoke};
