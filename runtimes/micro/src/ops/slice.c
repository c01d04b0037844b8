#include "kernel_move.h"

/* Where the box begins; false when it sticks out or is not as large as y. A size of -1 is the rest. */
static bool resolve(const opc_tensor *in, const opc_tensor *y, uint32_t *start) {
    for (uint32_t d = 0; d < y->rank; d++) {
        const int32_t begin = opc_load_size(&in[1], d);
        const int32_t size = opc_load_size(&in[2], d);
        const int32_t dim = in[0].dims[d];
        if (begin < 0 || y->dims[d] > dim - begin || y->dims[d] != (size == -1 ? dim - begin : size)) {
            return false;
        }
        start[d] = (uint32_t)begin;
    }
    return true;
}

static opc_status slice(opc_node *node) {
    opc_tensor in[3];
    opc_tensor y;
    uint32_t start[OPC_MAX_RANK];
    OPC_TRY(opc_fetch_alike(node, 3, 0, in, &y));
    OPC_TRY(opc_need_indices(node, &in[1], y.rank));
    OPC_TRY(opc_need_indices(node, &in[2], y.rank));
    if (in[0].rank != y.rank) {
        return opc_fail_shape(node);
    }
    if (in[1].data != NULL && in[2].data != NULL && !resolve(in, &y, start)) {
        return opc_fail_values(node, &in[(in[1].flags & OPC_CONSTANT) != 0 ? 2 : 1]);
    }
    if (y.data != NULL) {
        opc_box_read(&in[0], &y, start);
    }
    return OPC_OK;
}

const opc_op opc_slice = {
    .code = OPC_CODE_SLICE, .key = OPC_KEY_NONE, .types = OPC_ANY_TYPE, .prepare = slice, .invoke = slice};
