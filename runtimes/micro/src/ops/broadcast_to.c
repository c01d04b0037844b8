#include "kernel_move.h"

/* A dimension of 1 repeats, a missing one too. */
static bool resolve(const opc_tensor *x, const opc_tensor *y, uint32_t *strides) {
    if (x->rank > y->rank) {
        return false;
    }
    const uint32_t missing = y->rank - (uint32_t)x->rank;
    for (uint32_t d = 0; d < missing; d++) {
        strides[d] = 0;
    }
    opc_strides(x, strides + missing);
    for (uint32_t d = 0; d < x->rank; d++) {
        if (x->dims[d] == 1) {
            strides[missing + d] = 0;
        } else if (x->dims[d] != y->dims[missing + d]) {
            return false;
        }
    }
    return true;
}

static opc_status broadcast(opc_node *node) {
    opc_tensor in[2];
    opc_tensor y;
    uint32_t strides[OPC_MAX_RANK];
    OPC_TRY(opc_fetch_alike(node, 2, 0, in, &y));
    OPC_TRY(opc_need_dims(node, &in[1], &y));
    if (!resolve(&in[0], &y, strides)) {
        return opc_fail_shape(node);
    }
    if (y.data != NULL) {
        opc_move_from(&y, in[0].data, 0, strides);
    }
    return OPC_OK;
}

const opc_op opc_broadcast_to = {.code = OPC_CODE_BROADCAST_TO,
                                 .key = OPC_KEY_NONE,
                                 .types = OPC_ANY_TYPE,
                                 .prepare = broadcast,
                                 .invoke = broadcast};
