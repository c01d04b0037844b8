/* The public interface. */
#include <string.h>

#include "model.h"

/* Positions are 32-bit; half of the range keeps sums of a position and a size from wrapping. */
#define MAX_BYTES 0x7FFFFFF0U

static opc_status open_parsed(opc_interpreter *it) {
    graph *g = it->graphs;
    opc_status status = open_graph(it, g);
    for (uint32_t i = 0; status == OPC_OK && i < it->graph_count; i++, g++) {
        if (g->state == GRAPH_READY) {
            status = plan_graph(it, g);
        }
    }
    if (status != OPC_OK) {
        it->peak = 0;
        return status;
    }
    return opc_arena_used(it) > it->arena_bytes ? fail(it, WHY_MEMORY) : OPC_OK;
}

opc_status opc_open(opc_interpreter *it, const void *model, size_t model_bytes, void *arena, size_t arena_bytes,
                    const opc_registry *registry) {
    memset(it, 0, sizeof *it);
    it->file = model;
    it->arena = arena;
    it->registry = registry;
    it->bad_node = -1;
    it->bad_code = -1;
    if ((((uintptr_t)model | (uintptr_t)arena) & 15U) != 0) {
        return fail(it, WHY_ALIGNED);
    }
    if (model_bytes > MAX_BYTES) {
        return fail(it, WHY_LARGE);
    }
    it->file_bytes = (uint32_t)model_bytes;
    it->arena_bytes = arena_bytes > MAX_BYTES ? MAX_BYTES : (uint32_t)arena_bytes;
    it->arena_bytes &= ~UINT32_C(7); /* so that what is reported as used is enough */
    it->tail = it->arena_bytes;
    const opc_status status = parse_model(it);
    return status == OPC_OK ? open_parsed(it) : status;
}

uint32_t opc_arena_used(const opc_interpreter *it) {
    if (it->peak == 0) {
        return 0;
    }
    const uint32_t running = it->head + it->arena_bytes - it->tail;
    return running > it->peak ? running : it->peak;
}

opc_status opc_arena_needed(const void *model, size_t model_bytes, void *work, size_t work_bytes,
                            const opc_registry *registry, uint32_t *bytes) {
    opc_interpreter it;
    const opc_status status = opc_open(&it, model, model_bytes, work, work_bytes, registry);
    *bytes = opc_arena_used(&it);
    return *bytes != 0 ? OPC_OK : status;
}

opc_status opc_invoke(opc_interpreter *it) {
    it->spent = it->budget == 0 ? 0 : it->budget + 1;
    it->why = NULL;
    it->reason = WHY_NONE;
    it->bad_node = -1;
    it->bad_code = -1;
    return run_graph(it, it->graphs);
}

void opc_set_budget(opc_interpreter *it, uint32_t nodes) {
    it->budget = nodes;
}

static void reset_graph(const graph *g) {
    for (uint32_t k = 0; k < g->cell_count; k++) {
        const cell *c = &g->cells[k];
        if ((c->flags & OPC_VARIABLE) != 0 && c->data != NULL) {
            memset(c->data, 0, cell_bytes(c));
        }
    }
    for (uint32_t k = 0; k < g->node_count; k++) {
        const opc_node *node = &g->nodes[k];
        if (node->data != NULL && (node->op->flags & OPC_STARTS_ANEW) != 0) {
            memset(node->data, 0, sizeof(uint32_t));
        }
    }
}

void opc_reset(opc_interpreter *it) {
    for (uint32_t i = 0; i < it->graph_count; i++) {
        reset_graph((const graph *)it->graphs + i);
    }
    for (const resource *r = it->resources; r != NULL; r = r->next) {
        if (r->used) {
            memset(r->data, 0, r->bytes);
        }
    }
}
