#include "kernel_reduce.h"

/* Cut towards zero; the mean of nothing is 0. */
static int64_t divide(int64_t sum, uint32_t count) {
    return count == 0 ? 0 : sum / (int64_t)count;
}

static opc_status invoke(opc_node *node) {
    return opc_reduce_whole(node, divide);
}

const opc_op opc_mean_int32 = {.code = OPC_CODE_MEAN,
                               .key = OPC_KEY_INPUT0,
                               .types = OPC_BIT(OPC_INT32) | OPC_BIT(OPC_INT64),
                               .prepare = opc_reduction_prepare,
                               .invoke = invoke};
