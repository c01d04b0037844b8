#include "kernel_call.h"

/* IfOptions */
enum { THEN = 0, ELSE = 1 };

static opc_status check_branch(opc_node *node, uint32_t slot) {
    const int32_t branch = opc_option_i32(node, slot, 0);
    OPC_TRY(opc_use_subgraph(node, branch));
    const uint32_t inputs = opc_subgraph_input_count(node, branch);
    const uint32_t outputs = opc_subgraph_output_count(node, branch);
    if (inputs + 1U != opc_input_count(node) || outputs != opc_output_count(node)) {
        return OPC_FAIL(node, OPC_INVALID_MODEL, "node and branch differ in their number of inputs or outputs");
    }
    opc_tensor own;
    opc_tensor other;
    for (uint32_t i = 0; i < inputs; i++) {
        const bool found = opc_input(node, i + 1U, &own) && opc_subgraph_input(node, branch, i, &other);
        OPC_TRY(opc_call_match(node, found, &own, &other));
    }
    for (uint32_t i = 0; i < outputs; i++) {
        const bool found = opc_output(node, i, &own) && opc_subgraph_output(node, branch, i, &other);
        OPC_TRY(opc_call_match(node, found, &own, &other));
    }
    return OPC_OK;
}

static opc_status prepare(opc_node *node) {
    opc_tensor condition;
    if (!opc_input(node, 0, &condition) || condition.dtype != OPC_BOOL || condition.elements != 1) {
        return OPC_FAIL(node, OPC_INVALID_MODEL, "the condition must be one bool");
    }
    OPC_TRY(check_branch(node, THEN));
    return check_branch(node, ELSE);
}

static opc_status invoke(opc_node *node) {
    opc_tensor own;
    opc_tensor other;
    opc_input(node, 0, &own);
    const int32_t branch = opc_option_i32(node, *opc_u8(&own) != 0 ? THEN : ELSE, 0);
    for (uint32_t i = 1; opc_input(node, i, &own); i++) {
        opc_subgraph_input(node, branch, i - 1U, &other);
        opc_call_copy(&other, &own);
    }
    OPC_TRY(opc_invoke_subgraph(node, branch));
    for (uint32_t i = 0; opc_output(node, i, &own); i++) {
        opc_subgraph_output(node, branch, i, &other);
        opc_call_copy(&own, &other);
    }
    return OPC_OK;
}

const opc_op opc_if = {
    .code = OPC_CODE_IF, .key = OPC_KEY_NONE, .types = OPC_ANY_TYPE, .prepare = prepare, .invoke = invoke};
