#include "kernel_move.h"

static bool shapes_fit(const opc_tensor *in, const opc_tensor *y) {
    if (!opc_same_shape(&in[0], y) || in[1].rank != y->rank) {
        return false;
    }
    for (uint32_t d = 0; d < y->rank; d++) {
        if (in[1].dims[d] > y->dims[d]) {
            return false;
        }
    }
    return true;
}

static opc_status update(opc_node *node) {
    opc_tensor in[3];
    opc_tensor y;
    uint32_t start[OPC_MAX_RANK];
    OPC_TRY(opc_fetch_alike(node, 3, 0, in, &y));
    OPC_TRY(opc_need_alike(node, &in[1], &y));
    OPC_TRY(opc_need_indices(node, &in[2], y.rank));
    if (!shapes_fit(in, &y)) {
        return opc_fail_shape(node);
    }
    if (y.data == NULL) {
        return OPC_OK;
    }
    /* A start that would let the window stick out is moved inside. */
    for (uint32_t d = 0; d < y.rank; d++) {
        const int32_t wanted = opc_load_size(&in[2], d);
        const int32_t last = y.dims[d] - in[1].dims[d];
        start[d] = wanted < 0 ? 0 : (uint32_t)(wanted > last ? last : wanted);
    }
    opc_pass(&in[0], &y);
    opc_box_write(&y, &in[1], start);
    return OPC_OK;
}

const opc_op opc_dynamic_update_slice = {.code = OPC_CODE_DYNAMIC_UPDATE_SLICE,
                                         .key = OPC_KEY_NONE,
                                         .flags = OPC_INPLACE_INPUT0,
                                         .types = OPC_ANY_TYPE,
                                         .prepare = update,
                                         .invoke = update};
