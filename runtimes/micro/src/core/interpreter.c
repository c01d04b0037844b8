/* The public interface. */
#include <string.h>

#include "model.h"

/* Positions are 32-bit; half of the range keeps sums of a position and a size from wrapping. */
#define MAX_BYTES 0x7FFFFFF0U

static opc_status open_verified(opc_interpreter *it) {
    if (it->graph_count > MAX_TENSORS) {
        return FAIL(it, OPC_UNSUPPORTED, "more than 16384 subgraphs");
    }
    it->graphs = arena_alloc(it, it->graph_count * (uint32_t)sizeof(graph));
    if (it->graphs == NULL) {
        return FAIL(it, OPC_NO_MEMORY, "arena too small");
    }
    opc_status status = open_graph(it, 0);
    for (uint32_t i = 0; status == OPC_OK && i < it->graph_count; i++) {
        graph *g = (graph *)it->graphs + i;
        if (g->state == GRAPH_READY) {
            status = plan_graph(it, g);
        }
    }
    it->phase = PHASE_INVOKE;
    return status;
}

opc_status opc_open(opc_interpreter *it, const void *model, size_t model_bytes, void *arena, size_t arena_bytes,
                    const opc_registry *registry) {
    memset(it, 0, sizeof *it);
    it->file = model;
    it->arena = arena;
    it->registry = registry;
    it->bad_node = -1;
    it->bad_code = -1;
    if (((uintptr_t)model & 15U) != 0 || ((uintptr_t)arena & 15U) != 0) {
        return FAIL(it, OPC_INTERNAL, "model or arena is not 16-aligned");
    }
    if (model_bytes > MAX_BYTES) {
        return FAIL(it, OPC_UNSUPPORTED, "model above 2 GiB");
    }
    it->file_bytes = (uint32_t)model_bytes;
    it->arena_bytes = arena_bytes > MAX_BYTES ? MAX_BYTES : (uint32_t)arena_bytes;
    it->tail = it->arena_bytes;
    opc_status status = verify_model(it);
    if (status == OPC_OK) {
        status = open_verified(it);
    }
    if (status == OPC_NO_MEMORY && it->why == NULL) {
        status = FAIL(it, OPC_NO_MEMORY, "arena too small");
    }
    return status;
}

uint32_t opc_arena_used(const opc_interpreter *it) {
    const uint32_t running = it->head + it->arena_bytes - it->tail;
    return running > it->peak ? running : it->peak;
}

opc_status opc_invoke(opc_interpreter *it) {
    it->spent = 0;
    it->why = NULL;
    it->bad_node = -1;
    it->bad_code = -1;
    return run_graph(it, it->graphs);
}

void opc_set_budget(opc_interpreter *it, uint32_t nodes) {
    it->budget = nodes;
}

static void reset_graph(opc_interpreter *it, const graph *g) {
    for (uint32_t i = 0; i < g->tensors.count; i++) {
        opc_tensor view;
        view_tensor(it, g, (int32_t)i, &view);
        if ((view.flags & OPC_VARIABLE) != 0) {
            memset(view.data, 0, view.bytes);
        }
    }
}

void opc_reset(opc_interpreter *it) {
    for (uint32_t i = 0; i < it->graph_count; i++) {
        const graph *g = (const graph *)it->graphs + i;
        if (g->state == GRAPH_READY) {
            reset_graph(it, g);
        }
    }
    for (const resource *r = it->resources; r != NULL; r = r->next) {
        if (r->used) {
            memset(r->data, 0, r->bytes);
        }
    }
}
