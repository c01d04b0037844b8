#include "kernel_move.h"

/* Strides against the chosen axes; false when an axis is none or chosen twice. */
static bool resolve(const opc_tensor *in, uint32_t *strides, uint32_t *at) {
    uint32_t seen = 0;
    opc_strides(&in[0], strides);
    for (uint32_t i = 0; i < in[1].elements; i++) {
        uint32_t axis;
        if (!opc_normal_axis(opc_load_size(&in[1], i), in[0].rank, &axis) || ((seen >> axis) & 1U) != 0) {
            return false;
        }
        seen |= 1U << axis;
        *at += strides[axis] * ((uint32_t)in[0].dims[axis] - 1U);
        strides[axis] = 0U - strides[axis];
    }
    return true;
}

static opc_status reverse(opc_node *node) {
    opc_tensor in[2];
    opc_tensor y;
    uint32_t strides[OPC_MAX_RANK];
    uint32_t at = 0;
    OPC_TRY(opc_fetch_alike(node, 2, 0, in, &y));
    OPC_TRY(opc_need_indices(node, &in[1], in[1].elements));
    if (!opc_same_shape(&in[0], &y)) {
        return opc_fail_shape(node);
    }
    if (in[1].data != NULL && !resolve(in, strides, &at)) {
        return opc_fail_values(node, &in[1]);
    }
    if (y.data != NULL) {
        opc_move_from(&y, in[0].data, at, strides);
    }
    return OPC_OK;
}

const opc_op opc_reverse_v2 = {
    .code = OPC_CODE_REVERSE_V2, .key = OPC_KEY_NONE, .types = OPC_ANY_TYPE, .prepare = reverse, .invoke = reverse};
