#include "kernel_util.h"

static opc_status prepare(opc_node *node) {
    opc_tensor handle;
    opc_tensor value;
    OPC_TRY(opc_fetch(node, 1, &handle, &value));
    return opc_use_resource(node, value.dtype, value.bytes);
}

/* A variable that nothing was assigned to reads as zero. */
static opc_status invoke(opc_node *node) {
    opc_tensor value;
    (void)opc_output(node, 0, &value);
    opc_copy(value.data, opc_resource_data(node), value.bytes, 1);
    return OPC_OK;
}

const opc_op opc_read_variable = {
    .code = OPC_CODE_READ_VARIABLE, .key = OPC_KEY_NONE, .types = OPC_ANY_TYPE, .prepare = prepare, .invoke = invoke};
