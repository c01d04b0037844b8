#include "kernel_real.h"
#include "kernel_util.h"

static opc_status fetch(opc_node *node, opc_tensor *x, opc_tensor *y) {
    OPC_TRY(opc_fetch_unary(node, x, y));
    return x->rank > 0 ? OPC_OK : OPC_FAIL(node, OPC_INVALID_MODEL, "rank must be at least 1");
}

static opc_status prepare(opc_node *node) {
    opc_tensor x;
    opc_tensor y;
    return fetch(node, &x, &y);
}

static void softmax(const float *x, float *y, uint32_t depth, float beta) {
    float largest = x[0];
    for (uint32_t c = 1; c < depth; c++) {
        largest = x[c] > largest ? x[c] : largest;
    }
    float sum = 0.0f;
    for (uint32_t c = 0; c < depth; c++) {
        y[c] = opc_exp((x[c] - largest) * beta);
        sum += y[c];
    }
    for (uint32_t c = 0; c < depth; c++) {
        y[c] /= sum;
    }
}

static opc_status invoke(opc_node *node) {
    opc_tensor x;
    opc_tensor y;
    OPC_TRY(fetch(node, &x, &y));
    const float beta = opc_option_f32(node, 0, 0.0f);
    const uint32_t depth = (uint32_t)x.dims[x.rank - 1];
    for (uint32_t at = 0; at < x.elements; at += depth) {
        softmax(opc_f32(&x) + at, (float *)y.data + at, depth, beta);
    }
    return OPC_OK;
}

const opc_op opc_softmax_float32 = {.code = OPC_CODE_SOFTMAX,
                                    .key = OPC_KEY_INPUT0,
                                    .flags = OPC_INPLACE_INPUT0,
                                    .types = OPC_BIT(OPC_FLOAT32),
                                    .prepare = prepare,
                                    .invoke = invoke};
