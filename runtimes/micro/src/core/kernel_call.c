#include "kernel_call.h"

opc_status opc_call_match(opc_node *node, bool found, const opc_tensor *a, const opc_tensor *b) {
    if (!found) {
        return OPC_FAIL(node, OPC_INVALID_MODEL, "a value that a subgraph takes or gives is missing");
    }
    if (((a->flags | b->flags) & OPC_DYNAMIC) != 0) {
        return OPC_FAIL(node, OPC_UNSUPPORTED, "a value whose shape depends on data crosses into a subgraph");
    }
    return a->dtype == b->dtype && opc_same_shape(a, b)
               ? OPC_OK
               : OPC_FAIL(node, OPC_INVALID_MODEL, "a value changes its shape or type at a subgraph's border");
}

void opc_call_copy(const opc_tensor *to, const opc_tensor *from) {
    if (to->data != from->data) {
        opc_copy(to->data, from->data, to->bytes, 1);
    }
}
