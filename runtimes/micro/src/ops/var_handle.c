#include "kernel_util.h"

static opc_status prepare(opc_node *node) {
    uint32_t container_length;
    uint32_t name_length;
    if (opc_input_count(node) != 0 || opc_output_count(node) != 1) {
        return OPC_FAIL(node, OPC_INVALID_MODEL, "wrong number of inputs or outputs");
    }
    const char *container = opc_option_string(node, 0, &container_length);
    const char *name = opc_option_string(node, 1, &name_length);
    return opc_bind_resource(node, container, container_length, name, name_length);
}

static opc_status invoke(opc_node *node) {
    (void)node; /* the handle was bound when the model was opened */
    return OPC_OK;
}

const opc_op opc_var_handle = {
    .code = OPC_CODE_VAR_HANDLE, .key = OPC_KEY_NONE, .types = OPC_ANY_TYPE, .prepare = prepare, .invoke = invoke};
