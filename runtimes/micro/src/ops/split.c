#include "kernel_parts.h"

static opc_status split(opc_node *node) {
    opc_parts p = {.join = false};
    opc_tensor axis;
    if (opc_input_count(node) != 2 || !opc_input(node, 0, &axis) || !opc_input(node, 1, &p.whole)) {
        return OPC_FAIL(node, OPC_INVALID_MODEL, "wrong number of inputs");
    }
    OPC_TRY(opc_split_axis(node, &p, &axis));
    if (axis.data == NULL) {
        return OPC_OK; /* seen again in invoke */
    }
    const uint32_t size = (uint32_t)p.whole.dims[p.axis];
    p.each = size / opc_output_count(node);
    return p.each * opc_output_count(node) == size ? opc_parts_run(node, &p) : opc_fail_shape(node);
}

const opc_op opc_split = {
    .code = OPC_CODE_SPLIT, .key = OPC_KEY_NONE, .types = OPC_ANY_TYPE, .prepare = split, .invoke = split};
