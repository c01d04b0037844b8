#include "kernel_move.h"

/* Strides along the dimensions of y; false when the order is none or y is shaped otherwise. */
static bool resolve(const opc_tensor *in, const opc_tensor *y, uint32_t *strides) {
    uint32_t own[OPC_MAX_RANK];
    uint32_t seen = 0;
    opc_strides(&in[0], own);
    for (uint32_t d = 0; d < y->rank; d++) {
        uint32_t axis;
        if (!opc_normal_axis(opc_load_size(&in[1], d), y->rank, &axis) || y->dims[d] != in[0].dims[axis]) {
            return false;
        }
        strides[d] = own[axis];
        seen |= 1U << axis;
    }
    return seen + 1U == 1U << y->rank;
}

static opc_status transpose(opc_node *node) {
    opc_tensor in[2];
    opc_tensor y;
    uint32_t strides[OPC_MAX_RANK];
    OPC_TRY(opc_fetch_alike(node, 2, 0, in, &y));
    OPC_TRY(opc_need_indices(node, &in[1], y.rank));
    if (in[0].rank != y.rank) {
        return opc_fail_shape(node);
    }
    if (in[1].data != NULL && !resolve(in, &y, strides)) {
        return opc_fail_values(node, &in[1]);
    }
    if (y.data != NULL) {
        opc_move_from(&y, in[0].data, 0, strides);
    }
    return OPC_OK;
}

const opc_op opc_transpose = {
    .code = OPC_CODE_TRANSPOSE, .key = OPC_KEY_NONE, .types = OPC_ANY_TYPE, .prepare = transpose, .invoke = transpose};
