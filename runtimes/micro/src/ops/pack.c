#include "kernel_parts.h"

static opc_status pack(opc_node *node) {
    opc_parts p = {.flat = true, .join = true};
    if (!opc_output(node, 0, &p.whole) || opc_output_count(node) != 1 ||
        opc_option_i32(node, 0, 0) != (int32_t)opc_input_count(node) ||
        !opc_normal_axis(opc_option_i32(node, 1, 0), p.whole.rank, &p.axis)) {
        return OPC_FAIL(node, OPC_INVALID_MODEL, "axis or number of inputs out of range");
    }
    return opc_parts_run(node, &p);
}

const opc_op opc_pack = {
    .code = OPC_CODE_PACK, .key = OPC_KEY_NONE, .types = OPC_ANY_TYPE, .prepare = pack, .invoke = pack};
