#include "kernel_move.h"

static bool shape_fits(const opc_tensor *x, const opc_tensor *y, uint32_t axis) {
    for (uint32_t d = 0; d < y->rank; d++) {
        if (y->dims[d] != (d == axis ? 1 : x->dims[d > axis ? d - 1U : d])) {
            return false;
        }
    }
    return true;
}

static opc_status expand_dims(opc_node *node) {
    opc_tensor in[2];
    opc_tensor y;
    uint32_t axis;
    OPC_TRY(opc_fetch_alike(node, 2, 0, in, &y));
    if (in[0].rank + 1U != y.rank || in[1].elements != 1 || !opc_is_index_type(in[1].dtype)) {
        return opc_fail_shape(node);
    }
    if (in[1].data != NULL &&
        (!opc_normal_axis(opc_load_size(&in[1], 0), y.rank, &axis) || !shape_fits(&in[0], &y, axis))) {
        return opc_fail_values(node, &in[1]);
    }
    if (y.data != NULL) {
        opc_pass(&in[0], &y);
    }
    return OPC_OK;
}

const opc_op opc_expand_dims = {.code = OPC_CODE_EXPAND_DIMS,
                                .key = OPC_KEY_NONE,
                                .flags = OPC_INPLACE_INPUT0,
                                .types = OPC_ANY_TYPE,
                                .prepare = expand_dims,
                                .invoke = expand_dims};
