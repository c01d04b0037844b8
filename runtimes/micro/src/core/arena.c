/* Persistent memory of the interpreter: it grows down from the end of the arena, plans grow up from its start. */
#include <string.h>

#include "model.h"

void *arena_alloc(opc_interpreter *it, uint32_t bytes) {
    /* head <= tail <= arena_bytes; rounding cannot wrap because bytes is compared first. */
    if (bytes > it->tail - it->head) {
        return NULL;
    }
    const uint32_t at = (it->tail - bytes) & ~UINT32_C(7);
    if (at < it->head) {
        return NULL;
    }
    it->tail = at;
    void *memory = it->arena + at;
    memset(memory, 0, bytes);
    return memory;
}

opc_status fail(opc_interpreter *it, opc_status status, const char *why) {
    it->why = why;
    return status;
}

opc_status opc_fail(opc_node *node, opc_status status, const char *why) {
    node->it->bad_node = (int32_t)node->index;
    return fail(node->it, status, why);
}

void *opc_alloc(opc_node *node, uint32_t bytes) {
    node->state->data = arena_alloc(node->it, bytes);
    return node->state->data;
}

void *opc_data(const opc_node *node) {
    return node->state->data;
}

void opc_scratch(opc_node *node, uint32_t bytes) {
    /* Until the planner has run, the pointer holds the size. */
    node->state->scratch = (void *)(uintptr_t)bytes;
}

void *opc_scratch_data(const opc_node *node) {
    return node->state->scratch;
}

static uint32_t product(uint32_t rank, const int32_t *dims) {
    uint32_t elements = 1;
    for (uint32_t i = 0; i < rank; i++) {
        if (dims[i] < 0 || (dims[i] > 0 && elements > MAX_TENSOR_BYTES / 16 / (uint32_t)dims[i])) {
            return UINT32_MAX;
        }
        elements *= (uint32_t)dims[i];
    }
    return elements;
}

opc_status opc_set_dims(opc_node *node, uint32_t i, uint32_t rank, const int32_t *dims) {
    opc_interpreter *it = node->it;
    opc_tensor now;
    if (!opc_output(node, i, &now) || rank > OPC_MAX_RANK) {
        return OPC_FAIL(node, OPC_INTERNAL, "dimensions of an absent output or of a high rank");
    }
    const fb_file f = file_of(it);
    cell *s = &node->graph->cells[element(&f, node->outputs, i)];
    const uint32_t elements = product(rank, dims);
    if (it->phase == PHASE_PREPARE) {
        s->dims = arena_alloc(it, (OPC_MAX_RANK + 2) * (uint32_t)sizeof *dims);
        if (s->dims == NULL) {
            return OPC_NO_MEMORY;
        }
        s->dims[OPC_MAX_RANK + 1] = (int32_t)elements;
    } else if (s->dims == NULL || elements > (uint32_t)s->dims[OPC_MAX_RANK + 1]) {
        return OPC_FAIL(node, OPC_INTERNAL, "output larger than its bound");
    }
    if (elements == UINT32_MAX) {
        return OPC_FAIL(node, OPC_INVALID_MODEL, "huge output");
    }
    s->dims[0] = (int32_t)rank;
    memcpy(s->dims + 1, dims, rank * sizeof *dims);
    return OPC_OK;
}

static bool same_text(const char *a, uint32_t a_length, const char *b, uint32_t b_length) {
    return a_length == b_length && (a_length == 0 || memcmp(a, b, a_length) == 0);
}

opc_status opc_bind_resource(opc_node *node, const char *container, uint32_t container_length, const char *name,
                             uint32_t name_length) {
    opc_interpreter *it = node->it;
    opc_tensor handle;
    if (!opc_output(node, 0, &handle) || handle.dtype != OPC_RESOURCE) {
        return OPC_FAIL(node, OPC_INVALID_MODEL, "the output is no resource");
    }
    resource *r = it->resources;
    while (r != NULL && !(same_text(r->container, r->container_length, container, container_length) &&
                          same_text(r->name, r->name_length, name, name_length))) {
        r = r->next;
    }
    if (r == NULL) {
        r = arena_alloc(it, sizeof *r);
        if (r == NULL) {
            return OPC_NO_MEMORY;
        }
        r->container = container;
        r->container_length = container_length;
        r->name = name;
        r->name_length = name_length;
        r->next = it->resources;
        it->resources = r;
    }
    const fb_file f = file_of(it);
    node->graph->cells[element(&f, node->outputs, 0)].data = r;
    return OPC_OK;
}

/* The record behind input 0, or NULL: only opc_bind_resource gives a resource tensor an address that is not a mark. */
static resource *resource_of(const opc_node *node) {
    opc_tensor handle;
    if (!opc_input(node, 0, &handle) || handle.dtype != OPC_RESOURCE || (handle.flags & OPC_CONSTANT) != 0) {
        return NULL;
    }
    const fb_file f = file_of(node->it);
    void *data = node->graph->cells[element(&f, node->inputs, 0)].data;
    return data == planned_mark(node->it) ? NULL : data;
}

opc_status opc_use_resource(opc_node *node, uint8_t dtype, uint32_t bytes) {
    resource *r = resource_of(node);
    if (r == NULL) {
        return OPC_FAIL(node, OPC_INVALID_MODEL, "input 0 is no resource");
    }
    if (r->used && (r->dtype != dtype || r->bytes != bytes)) {
        return OPC_FAIL(node, OPC_UNSUPPORTED, "a variable with two types or sizes");
    }
    if (!r->used) {
        r->data = arena_alloc(node->it, bytes);
        if (r->data == NULL) {
            return OPC_NO_MEMORY;
        }
    }
    r->used = true;
    r->dtype = dtype;
    r->bytes = bytes;
    return OPC_OK;
}

void *opc_resource_data(const opc_node *node) {
    return resource_of(node)->data;
}
