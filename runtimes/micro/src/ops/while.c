#include <string.h>

#include "opconform_kernel.h"

/* The outputs of the node hold the loop's state; condition and body have tensors of their own. */

static int32_t condition_of(const opc_node *node) {
    return opc_option_i32(node, 0, 0);
}
static int32_t body_of(const opc_node *node) {
    return opc_option_i32(node, 1, 0);
}

static bool alike(const opc_tensor *a, const opc_tensor *b) {
    return a->dtype == b->dtype && opc_same_shape(a, b);
}

static opc_status check_state(opc_node *node, uint32_t i) {
    opc_tensor out;
    opc_tensor other[4];
    opc_output(node, i, &out);
    const bool complete = opc_input(node, i, &other[0]) && opc_subgraph_input(node, condition_of(node), i, &other[1]) &&
                          opc_subgraph_input(node, body_of(node), i, &other[2]) &&
                          opc_subgraph_output(node, body_of(node), i, &other[3]);
    if (!complete) {
        return OPC_FAIL(node, OPC_INVALID_MODEL, "a loop variable is missing");
    }
    for (uint32_t k = 0; k < 4; k++) {
        if (((out.flags | other[k].flags) & OPC_DYNAMIC) != 0) {
            return OPC_FAIL(node, OPC_UNSUPPORTED, "a loop variable whose shape depends on data");
        }
        if (!alike(&out, &other[k])) {
            return OPC_FAIL(node, OPC_INVALID_MODEL, "a loop variable changes its shape or type");
        }
    }
    return OPC_OK;
}

static opc_status prepare(opc_node *node) {
    const uint32_t count = opc_input_count(node);
    const int32_t condition = condition_of(node);
    const int32_t body = body_of(node);
    opc_status status = opc_use_subgraph(node, condition);
    if (status == OPC_OK) {
        status = opc_use_subgraph(node, body);
    }
    if (status != OPC_OK) {
        return status;
    }
    if (opc_output_count(node) != count || opc_subgraph_input_count(node, condition) != count ||
        opc_subgraph_input_count(node, body) != count || opc_subgraph_output_count(node, body) != count) {
        return OPC_FAIL(node, OPC_INVALID_MODEL, "condition, body and node differ in their number of loop variables");
    }
    opc_tensor verdict;
    if (opc_subgraph_output_count(node, condition) != 1 || !opc_subgraph_output(node, condition, 0, &verdict) ||
        verdict.dtype != OPC_BOOL || verdict.elements != 1) {
        return OPC_FAIL(node, OPC_INVALID_MODEL, "the condition must give one bool");
    }
    for (uint32_t i = 0; status == OPC_OK && i < count; i++) {
        status = check_state(node, i);
    }
    return status;
}

static void load(const opc_node *node, int32_t graph) {
    for (uint32_t i = 0; i < opc_output_count(node); i++) {
        opc_tensor state;
        opc_tensor to;
        opc_output(node, i, &state);
        opc_subgraph_input(node, graph, i, &to);
        memcpy(to.data, state.data, state.bytes);
    }
}

static void store(const opc_node *node, int32_t body) {
    for (uint32_t i = 0; i < opc_output_count(node); i++) {
        opc_tensor state;
        opc_tensor from;
        opc_output(node, i, &state);
        opc_subgraph_output(node, body, i, &from);
        memcpy(state.data, from.data, state.bytes);
    }
}

static void start(const opc_node *node) {
    for (uint32_t i = 0; i < opc_output_count(node); i++) {
        opc_tensor state;
        opc_tensor from;
        opc_output(node, i, &state);
        opc_input(node, i, &from);
        if (state.data != from.data) {
            memcpy(state.data, from.data, state.bytes);
        }
    }
}

static opc_status holds(opc_node *node, int32_t condition, bool *answer) {
    load(node, condition);
    const opc_status status = opc_invoke_subgraph(node, condition);
    opc_tensor verdict;
    opc_subgraph_output(node, condition, 0, &verdict);
    *answer = *opc_u8(&verdict) != 0;
    return status;
}

static opc_status invoke(opc_node *node) {
    const int32_t condition = condition_of(node);
    const int32_t body = body_of(node);
    bool again = false;
    start(node);
    opc_status status = holds(node, condition, &again);
    while (status == OPC_OK && again) {
        load(node, body);
        status = opc_invoke_subgraph(node, body);
        if (status == OPC_OK) {
            store(node, body);
            status = holds(node, condition, &again);
        }
    }
    return status;
}

const opc_op opc_while = {.code = OPC_CODE_WHILE,
                          .key = OPC_KEY_NONE,
                          .flags = OPC_INPLACE_PAIRS,
                          .types = OPC_ANY_TYPE,
                          .prepare = prepare,
                          .invoke = invoke};
