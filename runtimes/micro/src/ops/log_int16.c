#include <math.h>

#include "kernel_real.h"
#include "kernel_table.h"

/* Up to 0 the output's least value. */
static float log_of(float x) {
    return x > 0.0f ? opc_log(x) : -HUGE_VALF;
}

static opc_status prepare(opc_node *node) {
    return opc_table_prepare(node, log_of);
}

const opc_op opc_log_int16 = {.code = OPC_CODE_LOG,
                              .key = OPC_KEY_INPUT0,
                              .flags = OPC_INPLACE_INPUT0,
                              .types = OPC_BIT(OPC_INT16),
                              .prepare = prepare,
                              .invoke = opc_table_invoke};
