#include "kernel_move.h"

/* values [axes..., rest...], places [I..., number of axes] -> [I..., rest...]. */
static bool shapes_fit(const opc_tensor *in, const opc_tensor *y) {
    if (in[1].rank == 0 || !opc_is_index_type(in[1].dtype)) {
        return false;
    }
    const uint32_t lead = in[1].rank - 1U;
    const uint32_t axes = (uint32_t)in[1].dims[lead];
    if (axes > in[0].rank || y->rank != lead + in[0].rank - axes) {
        return false;
    }
    for (uint32_t d = 0; d < y->rank; d++) {
        if (y->dims[d] != (d < lead ? in[1].dims[d] : in[0].dims[d - lead + axes])) {
            return false;
        }
    }
    return true;
}

/* Where the slice at place i begins, in bytes; UINT32_MAX when a coordinate is outside of its axis. */
static uint32_t find(const opc_tensor *in, const uint32_t *strides, uint32_t axes, uint32_t i) {
    uint32_t at = 0;
    for (uint32_t d = 0; d < axes; d++) {
        const int32_t coordinate = opc_load_size(&in[1], i * axes + d);
        if (coordinate < 0 || coordinate >= in[0].dims[d]) {
            return UINT32_MAX;
        }
        at += (uint32_t)coordinate * strides[d];
    }
    return at;
}

static opc_status gather_nd(opc_node *node) {
    opc_tensor in[2];
    opc_tensor y;
    uint32_t strides[OPC_MAX_RANK];
    OPC_TRY(opc_fetch_alike(node, 2, 0, in, &y));
    if (!shapes_fit(in, &y)) {
        return opc_fail_shape(node);
    }
    if (in[1].data == NULL || y.elements == 0) {
        return OPC_OK;
    }
    const uint32_t lead = in[1].rank - 1U;
    const uint32_t axes = (uint32_t)in[1].dims[lead];
    const uint32_t count = opc_product(y.dims, 0, lead);
    const uint32_t bytes = y.bytes / count;
    opc_strides(&in[0], strides);
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t at = find(in, strides, axes, i);
        if (at == UINT32_MAX) {
            return opc_fail_values(node, &in[1]);
        }
        if (y.data != NULL) {
            opc_copy((uint8_t *)y.data + i * bytes, opc_u8(&in[0]) + at, bytes, 1);
        }
    }
    return OPC_OK;
}

const opc_op opc_gather_nd = {
    .code = OPC_CODE_GATHER_ND, .key = OPC_KEY_NONE, .types = OPC_ANY_TYPE, .prepare = gather_nd, .invoke = gather_nd};
