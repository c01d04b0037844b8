#include "kernel_pad.h"

static bool resolve(const opc_tensor *in, const opc_tensor *y, uint32_t *start) {
    for (uint32_t d = 0; d < y->rank; d++) {
        const int32_t before = opc_load_size(&in[1], 2 * d);
        const int32_t after = opc_load_size(&in[1], 2 * d + 1);
        /* each part is below 2^31, and both paddings below 2^30 */
        if (before < 0 || after < 0 ||
            (uint32_t)in[0].dims[d] + (uint32_t)before + (uint32_t)after != (uint32_t)y->dims[d]) {
            return false;
        }
        start[d] = (uint32_t)before;
    }
    return true;
}

opc_status opc_pad_fetch(opc_node *node, uint32_t inputs, opc_tensor *in, opc_tensor *y, uint32_t *start) {
    OPC_TRY(opc_fetch_alike(node, inputs, 0, in, y));
    if (!opc_is_index_type(in[1].dtype) && in[1].dtype != OPC_INT8) {
        return OPC_FAIL(node, OPC_UNSUPPORTED, "paddings must be integers");
    }
    if (in[0].rank != y->rank || in[1].elements != 2U * y->rank) {
        return opc_fail_shape(node);
    }
    return in[1].data == NULL || resolve(in, y, start) ? OPC_OK : opc_fail_values(node, &in[1]);
}
