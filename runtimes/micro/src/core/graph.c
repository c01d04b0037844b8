/* Opening a subgraph: its tables, the choice of kernels, their prepare; and running it. */
#include <string.h>

#include "model.h"

static opc_status bad(opc_interpreter *it, uint32_t node, opc_status status, const char *why) {
    it->bad_node = (int32_t)node;
    return fail(it, status, why);
}
#ifdef OPC_NO_TEXT
#define BAD(it, node, status, why) bad((it), (node), (status), NULL)
#else
#define BAD(it, node, status, why) bad((it), (node), (status), (why))
#endif

/* Constants stay in the file; only those that a builder left unaligned are copied. */
static opc_status bind_constant(opc_interpreter *it, cell *s, uint32_t tensor, uint8_t dtype) {
    const fb_file f = file_of(it);
    const fb_vector data = constant_data(it, tensor);
    const uint32_t align = opc_dtype_bytes(dtype);
    if (data.count == 0) {
        return OPC_OK;
    }
    if (align < 2 || data.at % align == 0) {
        /* The slot type serves constants too; nothing writes through it, since no node may have a constant output. */
        s->data = (void *)(uintptr_t)(f.bytes + data.at);
        return OPC_OK;
    }
    s->data = arena_alloc(it, data.count);
    if (s->data == NULL) {
        return OPC_NO_MEMORY;
    }
    memcpy(s->data, f.bytes + data.at, data.count);
    return OPC_OK;
}

static opc_status bind_tensors(opc_interpreter *it, graph *g) {
    const fb_file f = file_of(it);
    for (uint32_t i = 0; i < g->tensors.count; i++) {
        const uint32_t tensor = table_at(&f, g->tensors, i);
        const uint8_t dtype = (uint8_t)fb_u8(&f, tensor, TENSOR_TYPE, 0);
        opc_status status = bind_constant(it, &g->cells[i], tensor, dtype);
        if (status == OPC_OK && fb_u8(&f, tensor, TENSOR_VARIABLE, 0) != 0) {
            opc_tensor view;
            view_tensor(it, g, (int32_t)i, &view);
            g->cells[i].data = arena_alloc(it, view.bytes);
            status = g->cells[i].data == NULL ? OPC_NO_MEMORY : OPC_OK;
        }
        if (status != OPC_OK) {
            return status;
        }
    }
    return OPC_OK;
}

/* Types without a fixed size cannot be moved by this interpreter. */
static bool storable(const opc_tensor *t, bool resource_too) {
    return opc_dtype_bytes(t->dtype) != 0 || t->dtype == OPC_INT4 || (resource_too && t->dtype == OPC_RESOURCE);
}

/* Mark what a node or the caller writes; a tensor has one writer. */
static opc_status claim(opc_interpreter *it, graph *g, int32_t index) {
    cell *s = &g->cells[index];
    if (s->data != NULL) {
        return FAIL(it, OPC_INVALID_MODEL, "tensor with two writers, or a constant that is written");
    }
    s->data = planned_mark(it);
    return OPC_OK;
}

static opc_status claim_inputs(opc_interpreter *it, graph *g) {
    const fb_file f = file_of(it);
    for (uint32_t i = 0; i < g->inputs.count; i++) {
        opc_tensor view;
        const int32_t index = element(&f, g->inputs, i);
        view_tensor(it, g, index, &view);
        if (!storable(&view, false)) {
            return FAIL(it, OPC_UNSUPPORTED, "input of a type without a fixed size");
        }
        const opc_status status = claim(it, g, index);
        if (status != OPC_OK) {
            return status;
        }
    }
    return OPC_OK;
}

static opc_status check_outputs(opc_interpreter *it, const graph *g) {
    const fb_file f = file_of(it);
    for (uint32_t i = 0; i < g->outputs.count; i++) {
        opc_tensor view;
        const int32_t index = element(&f, g->outputs, i);
        view_tensor(it, g, index, &view);
        if (!storable(&view, false)) {
            return FAIL(it, OPC_UNSUPPORTED, "output of a type without a fixed size");
        }
        if (g->cells[index].data == NULL) {
            return FAIL(it, OPC_INVALID_MODEL, "output that nothing writes");
        }
    }
    return OPC_OK;
}

static uint8_t key_dtype(const opc_node *node, uint8_t key) {
    opc_tensor view;
    const bool found = key == OPC_KEY_OUTPUT0 ? opc_output(node, 0, &view) : opc_input(node, key, &view);
    return found ? view.dtype : 31;
}

static opc_status choose_kernel(opc_node *node, uint32_t code) {
    const opc_registry *registry = node->it->registry;
    bool known = false;
    for (uint32_t i = 0; i < registry->count; i++) {
        const opc_op *op = registry->ops[i];
        if (op->code != code) {
            continue;
        }
        known = true;
        const uint8_t dtype = op->key == OPC_KEY_NONE ? 0 : key_dtype(node, op->key);
        if (op->types == OPC_ANY_TYPE || ((op->types >> (dtype & 31)) & 1U) != 0) {
            node->state->op = op;
            return OPC_OK;
        }
    }
    return known ? OPC_FAIL(node, OPC_UNSUPPORTED, "no kernel for this type")
                 : OPC_FAIL(node, OPC_UNSUPPORTED, "no kernel for this operator");
}

static opc_status check_inputs(opc_node *node) {
    opc_interpreter *it = node->it;
    const fb_file f = file_of(it);
    for (uint32_t i = 0; i < node->inputs.count; i++) {
        opc_tensor view;
        if (!opc_input(node, i, &view)) {
            continue;
        }
        cell *s = &node->graph->cells[element(&f, node->inputs, i)];
        if (s->data == NULL && view.elements == 0) {
            s->data = (void *)(uintptr_t)it->file; /* an empty constant: any address that is no mark */
        }
        if (s->data == NULL) {
            return OPC_FAIL(node, OPC_INVALID_MODEL, "input that nothing has written");
        }
        if (!storable(&view, true)) {
            return OPC_FAIL(node, OPC_UNSUPPORTED, "input of a type without a fixed size");
        }
        if ((view.flags & OPC_DYNAMIC) != 0 && (node->state->op->flags & OPC_DYNAMIC_OK) == 0) {
            return OPC_FAIL(node, OPC_UNSUPPORTED, "input whose shape depends on data");
        }
    }
    return OPC_OK;
}

static opc_status claim_outputs(opc_node *node) {
    const fb_file f = file_of(node->it);
    for (uint32_t i = 0; i < node->outputs.count; i++) {
        opc_tensor view;
        opc_output(node, i, &view);
        if (!storable(&view, true)) {
            return OPC_FAIL(node, OPC_UNSUPPORTED, "output of a type without a fixed size");
        }
        const opc_status status = claim(node->it, node->graph, element(&f, node->outputs, i));
        if (status != OPC_OK) {
            node->it->bad_node = (int32_t)node->index;
            return status;
        }
    }
    return OPC_OK;
}

static opc_status open_node(opc_interpreter *it, graph *g, uint32_t index) {
    opc_node node = node_at(it, g, index);
    const uint32_t code = builtin_code(it, node.table);
    opc_status status = choose_kernel(&node, code);
    if (status == OPC_OK) {
        status = check_inputs(&node);
    }
    if (status == OPC_OK) {
        status = claim_outputs(&node);
    }
    if (status == OPC_OK) {
        status = node.state->op->prepare(&node);
    }
    if (status != OPC_OK && it->bad_code < 0) {
        it->bad_node = (int32_t)index;
        it->bad_code = (int32_t)code;
    }
    return status;
}

static void locate(opc_interpreter *it, graph *g, uint32_t index) {
    const fb_file f = file_of(it);
    const fb_vector subgraphs = fb_vec(&f, fb_follow(&f, 0), MODEL_SUBGRAPHS, 4, 4);
    const uint32_t table = table_at(&f, subgraphs, index);
    g->tensors = fb_vec(&f, table, SUBGRAPH_TENSORS, 4, 4);
    g->inputs = fb_vec(&f, table, SUBGRAPH_INPUTS, 4, 4);
    g->outputs = fb_vec(&f, table, SUBGRAPH_OUTPUTS, 4, 4);
    g->operators = fb_vec(&f, table, SUBGRAPH_OPERATORS, 4, 4);
}

opc_status open_graph(opc_interpreter *it, uint32_t index) {
    graph *g = (graph *)it->graphs + index;
    locate(it, g, index);
    g->state = GRAPH_OPENING;
    if (g->operators.count > MAX_NODES) {
        return FAIL(it, OPC_UNSUPPORTED, "more than 16384 operators in a subgraph");
    }
    g->cells = arena_alloc(it, g->tensors.count * (uint32_t)sizeof(cell));
    g->nodes = arena_alloc(it, g->operators.count * (uint32_t)sizeof(node_state));
    if (g->cells == NULL || g->nodes == NULL) {
        return OPC_NO_MEMORY;
    }
    opc_status status = bind_tensors(it, g);
    if (status == OPC_OK) {
        status = claim_inputs(it, g);
    }
    for (uint32_t i = 0; status == OPC_OK && i < g->operators.count; i++) {
        status = open_node(it, g, i);
    }
    if (status == OPC_OK) {
        status = check_outputs(it, g);
    }
    g->state = GRAPH_READY;
    return status;
}

opc_status opc_use_subgraph(opc_node *node, int32_t index) {
    opc_interpreter *it = node->it;
    if (index < 0 || (uint32_t)index >= it->graph_count) {
        return OPC_FAIL(node, OPC_INVALID_MODEL, "subgraph index out of range");
    }
    const graph *g = (const graph *)it->graphs + index;
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
    const opc_status status = open_graph(it, (uint32_t)index);
    it->depth--;
    return status;
}

opc_status run_graph(opc_interpreter *it, graph *g) {
    for (uint32_t i = 0; i < g->operators.count; i++) {
        if (it->budget != 0 && it->spent >= it->budget) {
            return BAD(it, i, OPC_BUDGET, "more nodes than the budget allows");
        }
        it->spent++;
        opc_node node = node_at(it, g, i);
        const opc_status status = node.state->op->invoke(&node);
        if (status != OPC_OK) {
            if (it->bad_code < 0) {
                it->bad_node = (int32_t)i;
                it->bad_code = (int32_t)builtin_code(it, node.table);
            }
            return status;
        }
    }
    return OPC_OK;
}

opc_status opc_invoke_subgraph(opc_node *node, int32_t index) {
    return run_graph(node->it, (graph *)node->it->graphs + index);
}
