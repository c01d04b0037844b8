#include "kernel_call.h"

/* WhileOptions. The outputs of the node hold the loop's state; condition and body have tensors of their own. */
enum { CONDITION = 0, BODY = 1 };

static int32_t graph_of(const opc_node *node, uint32_t slot) {
    return opc_option_i32(node, slot, 0);
}

static opc_status check_state(opc_node *node, uint32_t i) {
    opc_tensor out;
    opc_tensor other;
    opc_output(node, i, &out);
    OPC_TRY(opc_call_match(node, opc_input(node, i, &other), &out, &other));
    OPC_TRY(opc_call_match(node, opc_subgraph_input(node, graph_of(node, CONDITION), i, &other), &out, &other));
    OPC_TRY(opc_call_match(node, opc_subgraph_input(node, graph_of(node, BODY), i, &other), &out, &other));
    return opc_call_match(node, opc_subgraph_output(node, graph_of(node, BODY), i, &other), &out, &other);
}

static opc_status prepare(opc_node *node) {
    const uint32_t count = opc_input_count(node);
    const int32_t condition = graph_of(node, CONDITION);
    const int32_t body = graph_of(node, BODY);
    OPC_TRY(opc_use_subgraph(node, condition));
    OPC_TRY(opc_use_subgraph(node, body));
    if (opc_output_count(node) != count || opc_subgraph_input_count(node, condition) != count ||
        opc_subgraph_input_count(node, body) != count || opc_subgraph_output_count(node, body) != count) {
        return OPC_FAIL(node, OPC_INVALID_MODEL, "condition, body and node differ in their number of loop variables");
    }
    opc_tensor verdict;
    if (opc_subgraph_output_count(node, condition) != 1 || !opc_subgraph_output(node, condition, 0, &verdict) ||
        verdict.dtype != OPC_BOOL || verdict.elements != 1) {
        return OPC_FAIL(node, OPC_INVALID_MODEL, "the condition must give one bool");
    }
    for (uint32_t i = 0; i < count; i++) {
        OPC_TRY(check_state(node, i));
    }
    return OPC_OK;
}

/* The state to the inputs of a subgraph. */
static void load(const opc_node *node, int32_t graph) {
    opc_tensor state;
    opc_tensor to;
    for (uint32_t i = 0; opc_output(node, i, &state); i++) {
        opc_subgraph_input(node, graph, i, &to);
        opc_call_copy(&to, &state);
    }
}

static void start(const opc_node *node) {
    opc_tensor state;
    opc_tensor from;
    for (uint32_t i = 0; opc_output(node, i, &state); i++) {
        opc_input(node, i, &from);
        opc_call_copy(&state, &from);
    }
}

static opc_status run_body(opc_node *node, int32_t body) {
    opc_tensor state;
    opc_tensor from;
    load(node, body);
    OPC_TRY(opc_invoke_subgraph(node, body));
    for (uint32_t i = 0; opc_output(node, i, &state); i++) {
        opc_subgraph_output(node, body, i, &from);
        opc_call_copy(&state, &from);
    }
    return OPC_OK;
}

static opc_status invoke(opc_node *node) {
    const int32_t condition = graph_of(node, CONDITION);
    start(node);
    for (;;) {
        opc_tensor verdict;
        load(node, condition);
        OPC_TRY(opc_invoke_subgraph(node, condition));
        opc_subgraph_output(node, condition, 0, &verdict);
        if (*opc_u8(&verdict) == 0) {
            return OPC_OK;
        }
        OPC_TRY(run_body(node, graph_of(node, BODY)));
    }
}

const opc_op opc_while = {.code = OPC_CODE_WHILE,
                          .key = OPC_KEY_NONE,
                          .flags = OPC_INPLACE_PAIRS,
                          .types = OPC_ANY_TYPE,
                          .prepare = prepare,
                          .invoke = invoke};
