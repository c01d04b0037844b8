#include "kernel_parts.h"

/* Sizes are those of the outputs; one of them may be -1, the rest of the axis. */
static opc_status check_sizes(opc_node *node, const opc_parts *p, const opc_tensor *sizes) {
    uint32_t open = 0;
    for (uint32_t i = 0; i < sizes->elements; i++) {
        opc_tensor part;
        uint32_t size;
        OPC_TRY(opc_part(node, p, i, &part, &size));
        const int32_t given = opc_load_size(sizes, i);
        open += given == -1 ? 1U : 0U;
        if (open > 1 || (given != -1 && given != (int32_t)size)) {
            return opc_fail_values(node, sizes);
        }
    }
    return OPC_OK;
}

static opc_status split_v(opc_node *node) {
    opc_parts p = {.join = false};
    opc_tensor sizes;
    opc_tensor axis;
    if (opc_input_count(node) != 3 || !opc_input(node, 0, &p.whole) || !opc_input(node, 1, &sizes) ||
        !opc_input(node, 2, &axis)) {
        return OPC_FAIL(node, OPC_INVALID_MODEL, "wrong number of inputs");
    }
    OPC_TRY(opc_split_axis(node, &p, &axis));
    OPC_TRY(opc_need_indices(node, &sizes, opc_output_count(node)));
    if (axis.data == NULL || sizes.data == NULL) {
        return OPC_OK; /* seen again in invoke */
    }
    OPC_TRY(check_sizes(node, &p, &sizes));
    return opc_parts_run(node, &p);
}

const opc_op opc_split_v = {
    .code = OPC_CODE_SPLIT_V, .key = OPC_KEY_NONE, .types = OPC_ANY_TYPE, .prepare = split_v, .invoke = split_v};
