#include "kernel_parts.h"

static opc_status unpack(opc_node *node) {
    opc_parts p = {.flat = true};
    if (!opc_input(node, 0, &p.whole) || opc_input_count(node) != 1 ||
        opc_option_i32(node, 0, 0) != (int32_t)opc_output_count(node) ||
        !opc_normal_axis(opc_option_i32(node, 1, 0), p.whole.rank, &p.axis)) {
        return OPC_FAIL(node, OPC_INVALID_MODEL, "axis or number of outputs out of range");
    }
    return opc_parts_run(node, &p);
}

const opc_op opc_unpack = {
    .code = OPC_CODE_UNPACK, .key = OPC_KEY_NONE, .types = OPC_ANY_TYPE, .prepare = unpack, .invoke = unpack};
