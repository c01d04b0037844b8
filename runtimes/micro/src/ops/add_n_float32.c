#include "kernel_add_n.h"

static void add(opc_sums *sums, const opc_tensor *term, uint32_t at, uint32_t count) {
    const float *x = term->data;
    for (uint32_t i = 0; i < count; i++) {
        sums->f[i] += x[at + i];
    }
}

static void finish(const opc_node *node, const opc_sums *sums, const opc_tensor *y, uint32_t at, uint32_t count) {
    (void)node;
    opc_copy((float *)y->data + at, sums, count, sizeof(float));
}

static opc_status invoke(opc_node *node) {
    return opc_add_n(node, add, finish);
}

const opc_op opc_add_n_float32 = {.code = OPC_CODE_ADD_N,
                                  .key = OPC_KEY_INPUT0,
                                  .flags = OPC_INPLACE_INPUT0,
                                  .types = OPC_BIT(OPC_FLOAT32),
                                  .prepare = opc_add_n_prepare,
                                  .invoke = invoke};
