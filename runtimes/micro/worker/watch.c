/* Tells a platform that watches memory which parts of the arena the open model may touch: inputs may be read, outputs
 * and scratch written too, and so may the memory that lives as long as the model. For a model of one node this is
 * what its kernel may touch, to the byte; for a larger one it is the union over its nodes.
 * Reads the interpreter's own records (src/core/model.h), so that the library need not know of it. */
#include "model.h"
#include "transport.h"

static void allow(const uint8_t *first, uint32_t bytes, bool written) {
    if (bytes == 0) {
        return;
    }
    if (written) {
        opc_watch_store(first, first + bytes - 1);
    } else {
        opc_watch_load(first, first + bytes - 1);
    }
}

/* Does an address lie in the part of the arena where tensors and scratch are planned? */
static bool planned(const opc_interpreter *it, const void *data) {
    return (uintptr_t)data - (uintptr_t)it->arena < it->head;
}

static void allow_tensors(const opc_interpreter *it, const graph *g, fb_vector slots, bool written) {
    for (uint32_t i = 0; i < *slots; i++) {
        opc_tensor t;
        if (view_of(g->cells, slots, i, &t) && planned(it, t.data)) {
            allow(t.data, t.bytes, written);
        }
    }
}

/* The size of a scratch is not kept: it ends where the next tensor begins, or, beside other nodes, with the plan. */
static uint32_t scratch_bytes(const opc_interpreter *it, const graph *g, const opc_node *node) {
    const uint8_t *scratch = opc_scratch_data(node);
    const uint8_t *end = it->arena + it->head;
    for (uint32_t i = 0; g->node_count == 1 && i < g->cell_count; i++) {
        const uint8_t *data = g->cells[i].data;
        end = planned(it, data) && data > scratch && data < end ? data : end;
    }
    return (uint32_t)(end - scratch);
}

static void allow_graph(opc_interpreter *it, graph *g, bool called) {
    allow_tensors(it, g, g->inputs, called);
    for (uint32_t i = 0; i < g->node_count; i++) {
        const opc_node *node = &g->nodes[i];
        allow_tensors(it, g, node->inputs, false);
        allow_tensors(it, g, node->outputs, true);
        if (planned(it, opc_scratch_data(node))) {
            allow(opc_scratch_data(node), scratch_bytes(it, g, node), true);
        }
    }
}

uint32_t worker_scratch(const opc_interpreter *it) {
    uint32_t most = 0;
    for (uint32_t i = 0; i < it->graph_count; i++) {
        const graph *g = (const graph *)it->graphs + i;
        if (g->state == GRAPH_READY && g->node_count == 1 && planned(it, opc_scratch_data(g->nodes))) {
            const uint32_t bytes = scratch_bytes(it, g, g->nodes);
            most = bytes > most ? bytes : most;
        }
    }
    return most;
}

void worker_watch(opc_interpreter *it) {
    /* First: the records that the rest reads lie there. */
    allow(it->arena + it->tail, it->arena_bytes - it->tail, true);
    for (uint32_t i = 0; i < it->graph_count; i++) {
        graph *g = (graph *)it->graphs + i;
        if (g->state == GRAPH_READY) {
            allow_graph(it, g, i != 0);
        }
    }
}
