#include "kernel_util.h"

static opc_status fetch(opc_node *node, opc_tensor *value) {
    if (opc_input_count(node) != 2 || opc_output_count(node) != 0 || !opc_input(node, 1, value)) {
        return OPC_FAIL(node, OPC_INVALID_MODEL, "wrong number of inputs or outputs");
    }
    return OPC_OK;
}

static opc_status prepare(opc_node *node) {
    opc_tensor value;
    OPC_TRY(fetch(node, &value));
    return opc_use_resource(node, value.dtype, value.bytes);
}

static opc_status invoke(opc_node *node) {
    opc_tensor value;
    OPC_TRY(fetch(node, &value));
    opc_copy(opc_resource_data(node), value.data, value.bytes, 1);
    return OPC_OK;
}

const opc_op opc_assign_variable = {
    .code = OPC_CODE_ASSIGN_VARIABLE, .key = OPC_KEY_NONE, .types = OPC_ANY_TYPE, .prepare = prepare, .invoke = invoke};
