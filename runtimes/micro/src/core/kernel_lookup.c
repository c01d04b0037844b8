#include "kernel_lookup.h"

static bool shapes_fit(const opc_tensor *in, const opc_tensor *y) {
    if (in[0].rank != 1 || in[1].rank < 2 || y->rank != in[1].rank || y->dims[0] != in[0].dims[0]) {
        return false;
    }
    for (uint32_t d = 1; d < y->rank; d++) {
        if (y->dims[d] != in[1].dims[d]) {
            return false;
        }
    }
    return true;
}

opc_status opc_lookup_fetch(opc_node *node, opc_tensor *in, opc_tensor *y) {
    OPC_TRY(opc_fetch(node, 2, in, y));
    OPC_TRY(opc_need_indices(node, &in[0], in[0].elements));
    if (!shapes_fit(in, y)) {
        return opc_fail_shape(node);
    }
    for (uint32_t i = 0; in[0].data != NULL && i < in[0].elements; i++) {
        const int32_t row = opc_load_size(&in[0], i);
        if (row < 0 || row >= in[1].dims[0]) {
            return opc_fail_values(node, &in[0]);
        }
    }
    return OPC_OK;
}

void opc_lookup_copy(const opc_tensor *in, const opc_tensor *y) {
    uint8_t *to = y->data;
    const uint32_t bytes = y->dims[0] == 0 ? 0 : y->bytes / (uint32_t)y->dims[0];
    for (uint32_t i = 0; i < in[0].elements; i++, to += bytes) {
        opc_copy(to, opc_u8(&in[1]) + (uint32_t)opc_load_size(&in[0], i) * bytes, bytes, 1);
    }
}
