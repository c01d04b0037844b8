/* Opening a subgraph (the choice of kernels and their prepare) and running it. */
#include "model.h"

/* Where an error happened: the innermost node, since nodes that call subgraphs pass errors on. */
static opc_status blame(opc_interpreter *it, const graph *g, const opc_node *node, uint32_t code, opc_status status) {
    if (it->bad_code < 0) {
        it->bad_node = (int32_t)(node - g->nodes);
        it->bad_code = (int32_t)code;
    }
    return status;
}

/* Types without a fixed size cannot be moved by this interpreter. */
static bool storable(const cell *c) {
    return dtype_half_bytes[c->dtype] != 0;
}

/* Constants, variables, and what the caller or an earlier node writes. */
static bool known(const cell *c) {
    return c->data != NULL || (c->flags & (CELL_WRITTEN | OPC_VARIABLE)) != 0;
}

/* Mark what a node or the caller writes; a tensor has one writer. */
static opc_status claim(opc_interpreter *it, cell *c) {
    if (known(c)) {
        return fail(it, WHY_WRITERS);
    }
    c->flags |= CELL_WRITTEN;
    return OPC_OK;
}

static opc_status claim_inputs(opc_interpreter *it, const graph *g) {
    opc_status status = OPC_OK;
    for (uint32_t i = 0; status == OPC_OK && i < *g->inputs; i++) {
        cell *c = cell_of(g->cells, g->inputs, i);
        status = storable(c) ? claim(it, c) : fail(it, WHY_SIZELESS);
    }
    return status;
}

static opc_status check_results(opc_interpreter *it, const graph *g) {
    for (uint32_t i = 0; i < *g->outputs; i++) {
        const cell *c = cell_of(g->cells, g->outputs, i);
        if (!storable(c)) {
            return fail(it, WHY_SIZELESS);
        }
        if (!known(c)) {
            return fail(it, WHY_OUTPUT_NOT_WRITTEN);
        }
    }
    return OPC_OK;
}

static uint32_t builtin_code(opc_interpreter *it, uint32_t operator_table) {
    const uint32_t index = fb_number(it, operator_table, OPERATOR_OPCODE, 4);
    const uint32_t entry = fb_element(it, it->opcodes + 1 + index);
    const uint32_t old_code = fb_number(it, entry, OPCODE_DEPRECATED, 1);
    const uint32_t new_code = fb_number(it, entry, OPCODE_BUILTIN, 4);
    return new_code > old_code ? new_code : old_code;
}

static opc_status choose_kernel(opc_node *node, uint32_t code) {
    const opc_registry *registry = node->it->registry;
    uint32_t why = WHY_NO_KERNEL;
    for (uint32_t i = 0; i < registry->count; i++) {
        const opc_op *op = registry->ops[i];
        if (op->code != code) {
            continue;
        }
        const cell *c = op->key == OPC_KEY_OUTPUT0 ? cell_of(node->cells, node->outputs, 0)
                                                   : cell_of(node->cells, node->inputs, op->key);
        if (op->types == OPC_ANY_TYPE || (c != NULL && ((op->types >> c->dtype) & 1U) != 0)) {
            node->op = op;
            return OPC_OK;
        }
        why = WHY_NO_KERNEL_TYPE;
    }
    return fail(node->it, why);
}

static opc_status check_inputs(const opc_node *node) {
    for (uint32_t i = 0; i < *node->inputs; i++) {
        cell *c = cell_of(node->cells, node->inputs, i);
        if (c == NULL) {
            continue;
        }
        if (!known(c)) {
            if (c->elements != 0) {
                return fail(node->it, WHY_NOT_WRITTEN);
            }
            c->data = (void *)(uintptr_t)node->it->file; /* an empty constant: any address */
            c->flags |= OPC_CONSTANT;
        }
        if (!storable(c) && c->dtype != OPC_RESOURCE) {
            return fail(node->it, WHY_SIZELESS);
        }
        if ((c->flags & OPC_DYNAMIC) != 0 && (node->op->flags & OPC_DYNAMIC_OK) == 0) {
            return fail(node->it, WHY_DYNAMIC);
        }
    }
    return OPC_OK;
}

static opc_status claim_outputs(const opc_node *node) {
    opc_status status = OPC_OK;
    for (uint32_t i = 0; status == OPC_OK && i < *node->outputs; i++) {
        cell *c = cell_of(node->cells, node->outputs, i);
        status = storable(c) || c->dtype == OPC_RESOURCE ? claim(node->it, c) : fail(node->it, WHY_SIZELESS);
    }
    return status;
}

static opc_status open_node(opc_interpreter *it, const graph *g, opc_node *node) {
    const uint32_t code = builtin_code(it, node->table);
    opc_status status = choose_kernel(node, code);
    if (status == OPC_OK) {
        status = check_inputs(node);
    }
    if (status == OPC_OK) {
        status = claim_outputs(node);
    }
    if (status == OPC_OK) {
        status = node->op->prepare(node);
    }
    /* Damage reads as absent, so that it has done no harm. */
    status = it->damaged != 0 ? fail(it, WHY_OPTIONS) : status;
    return status == OPC_OK ? status : blame(it, g, node, code, status);
}

opc_status open_graph(opc_interpreter *it, graph *g) {
    g->state = GRAPH_OPENING;
    opc_status status = claim_inputs(it, g);
    for (uint32_t i = 0; status == OPC_OK && i < g->node_count; i++) {
        status = open_node(it, g, &g->nodes[i]);
    }
    g->state = GRAPH_READY;
    return status == OPC_OK ? check_results(it, g) : status;
}

opc_status opc_use_subgraph(opc_node *node, int32_t index) {
    opc_interpreter *it = node->it;
    if ((uint32_t)index >= it->graph_count) {
        return OPC_FAIL(node, OPC_INVALID_MODEL, "subgraph index out of range");
    }
    graph *g = (graph *)it->graphs + index;
    if (g->state == GRAPH_OPENING) {
        return OPC_FAIL(node, OPC_INVALID_MODEL, "subgraph that calls itself");
    }
    if (g->state == GRAPH_READY) {
        return OPC_OK;
    }
    if (it->depth >= MAX_DEPTH) {
        return OPC_FAIL(node, OPC_UNSUPPORTED, "subgraphs nested more than 4 deep");
    }
    it->depth++;
    const opc_status status = open_graph(it, g);
    it->depth--;
    return status;
}

opc_status run_graph(opc_interpreter *it, const graph *g) {
    opc_node *end = g->nodes + g->node_count;
    for (opc_node *node = g->nodes; node != end; node++) {
        opc_status status = OPC_OK;
        if (it->spent != 0 && --it->spent == 0) {
            status = fail(it, WHY_BUDGET);
        } else {
            status = node->op->invoke(node);
        }
        if (status != OPC_OK) {
            return blame(it, g, node, node->op->code, status);
        }
    }
    return OPC_OK;
}

opc_status opc_invoke_subgraph(opc_node *node, int32_t index) {
    return run_graph(node->it, (graph *)node->it->graphs + index);
}
