#include "kernel_move.h"

static int64_t extent(const opc_tensor *t, uint32_t rank, uint32_t d) {
    const uint32_t missing = rank - t->elements;
    return d < missing ? 1 : opc_load_index(t, d - missing);
}

static opc_status broadcast_args(opc_node *node) {
    opc_tensor in[2];
    opc_tensor y;
    OPC_TRY(opc_fetch_alike(node, 2, 0, in, &y));
    OPC_TRY(opc_same_dtype(node, &in[1], &y));
    const uint32_t rank = in[0].elements > in[1].elements ? in[0].elements : in[1].elements;
    OPC_TRY(opc_need_indices(node, &in[0], in[0].elements));
    OPC_TRY(opc_need_indices(node, &in[1], in[1].elements));
    OPC_TRY(opc_need_indices(node, &y, rank));
    for (uint32_t d = 0; in[0].data != NULL && in[1].data != NULL && d < rank; d++) {
        const int64_t a = extent(&in[0], rank, d);
        const int64_t b = extent(&in[1], rank, d);
        if (a != b && a != 1 && b != 1) {
            return opc_fail_values(node, &in[(in[0].flags & OPC_CONSTANT) != 0 ? 1 : 0]);
        }
        if (y.data != NULL) {
            opc_store_index(&y, d, a == 1 ? b : a);
        }
    }
    return OPC_OK;
}

const opc_op opc_broadcast_args = {.code = OPC_CODE_BROADCAST_ARGS,
                                   .key = OPC_KEY_NONE,
                                   .types = OPC_ANY_TYPE,
                                   .prepare = broadcast_args,
                                   .invoke = broadcast_args};
