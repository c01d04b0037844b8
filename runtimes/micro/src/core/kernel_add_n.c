#include "kernel_add_n.h"

#include <string.h>

opc_status opc_add_n_prepare(opc_node *node) {
    opc_tensor x;
    opc_tensor y;
    if (opc_output_count(node) != 1 || !opc_output(node, 0, &y) || opc_input_count(node) == 0) {
        return OPC_FAIL(node, OPC_INVALID_MODEL, "wrong number of inputs or outputs");
    }
    for (uint32_t k = 0; k < opc_input_count(node); k++) {
        if (!opc_input(node, k, &x) || x.dtype != y.dtype || !opc_same_shape(&x, &y)) {
            return OPC_FAIL(node, OPC_INVALID_MODEL, "all terms must have the output's dtype and shape");
        }
    }
    return OPC_OK;
}

opc_status opc_add_n(opc_node *node, void (*add)(opc_sums *sums, const opc_tensor *x, uint32_t at, uint32_t count),
                     void (*finish)(const opc_node *node, const opc_sums *sums, const opc_tensor *y, uint32_t at,
                                    uint32_t count)) {
    opc_tensor x;
    opc_tensor y;
    opc_sums sums;
    (void)opc_output(node, 0, &y);
    for (uint32_t at = 0; at < y.elements; at += OPC_ADD_N_CHUNK) {
        const uint32_t left = y.elements - at;
        const uint32_t count = left < OPC_ADD_N_CHUNK ? left : OPC_ADD_N_CHUNK;
        memset(&sums, 0, sizeof sums);
        for (uint32_t k = 0; k < opc_input_count(node); k++) {
            (void)opc_input(node, k, &x);
            add(&sums, &x, at, count);
        }
        finish(node, &sums, &y, at, count);
    }
    return OPC_OK;
}
