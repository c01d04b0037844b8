#include <math.h>

#include "fixedpoint.h"
#include "kernel_util.h"

static opc_status fetch(opc_node *node, opc_tensor *x, opc_tensor *y) {
    OPC_TRY(opc_fetch_unary(node, x, y));
    if (opc_option_u8(node, 0, OPC_ACT_NONE) != OPC_ACT_NONE) {
        return OPC_FAIL(node, OPC_UNSUPPORTED, "fused activation");
    }
    return x->rank > 0 ? OPC_OK : OPC_FAIL(node, OPC_INVALID_MODEL, "rank must be at least 1");
}

static opc_status prepare(opc_node *node) {
    opc_tensor x;
    opc_tensor y;
    return fetch(node, &x, &y);
}

static opc_status invoke(opc_node *node) {
    opc_tensor x;
    opc_tensor y;
    OPC_TRY(fetch(node, &x, &y));
    const uint32_t depth = (uint32_t)x.dims[x.rank - 1];
    for (uint32_t at = 0; at < x.elements; at += depth) {
        const float *in = opc_f32(&x) + at;
        float *out = (float *)y.data + at;
        float sum = 0.0f;
        for (uint32_t c = 0; c < depth; c++) {
            sum += in[c] * in[c];
        }
        const float root = sqrtf(sum);
        const float norm = root < 1e-6f ? 1e-6f : root;
        for (uint32_t c = 0; c < depth; c++) {
            out[c] = in[c] / norm;
        }
    }
    return OPC_OK;
}

const opc_op opc_l2_normalization_float32 = {.code = OPC_CODE_L2_NORMALIZATION,
                                             .key = OPC_KEY_INPUT0,
                                             .flags = OPC_INPLACE_INPUT0,
                                             .types = OPC_BIT(OPC_FLOAT32),
                                             .prepare = prepare,
                                             .invoke = invoke};
