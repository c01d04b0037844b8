#include "kernel_parts.h"

static opc_status concatenation(opc_node *node) {
    opc_parts p = {.join = true};
    OPC_TRY(opc_join_fetch(node, &p));
    return opc_parts_run(node, &p);
}

const opc_op opc_concatenation = {.code = OPC_CODE_CONCATENATION,
                                  .key = OPC_KEY_OUTPUT0,
                                  .types = ~OPC_BIT(OPC_UINT8),
                                  .prepare = concatenation,
                                  .invoke = concatenation};
