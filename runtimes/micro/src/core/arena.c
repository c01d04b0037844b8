/* Persistent memory of the interpreter: it grows down from the end of the arena, plans grow up from its start. */
#include <string.h>

#include "model.h"

/* Builds under the address sanitizer may part what is allocated: OPC_REDZONE bytes behind each piece. */
#ifdef OPC_REDZONE
#include <sanitizer/asan_interface.h>

static void *part(uint8_t *piece, uint32_t bytes) {
    ASAN_UNPOISON_MEMORY_REGION(piece, bytes);
    ASAN_POISON_MEMORY_REGION(piece + bytes, OPC_REDZONE);
    return piece;
}
#else
#define OPC_REDZONE 0U
static void *part(uint8_t *piece, uint32_t bytes) {
    (void)bytes;
    return piece;
}
#endif

void *arena_alloc(opc_interpreter *it, uint32_t bytes) {
    /* Rounding cannot wrap because bytes is compared first. */
    if (bytes > it->tail || bytes + OPC_REDZONE > it->tail) {
        return NULL;
    }
    it->tail = (it->tail - bytes - OPC_REDZONE) & ~UINT32_C(7);
    return memset(part(it->arena + it->tail, bytes), 0, bytes);
}

opc_status fail(opc_interpreter *it, uint32_t why) {
    it->why = NULL;
    it->reason = (uint8_t)why;
    if (why < WHY_UNSUPPORTED) {
        return OPC_INVALID_MODEL;
    }
    return why < WHY_MEMORY    ? OPC_UNSUPPORTED
           : why == WHY_MEMORY ? OPC_NO_MEMORY
           : why == WHY_BUDGET ? OPC_BUDGET
                               : OPC_INTERNAL;
}

opc_status opc_fail(opc_node *node, opc_status status, const char *why) {
    node->it->why = why;
    return status;
}

void *opc_alloc(opc_node *node, uint32_t bytes) {
    node->data = arena_alloc(node->it, bytes);
    if (node->data == NULL) {
        (void)fail(node->it, WHY_MEMORY);
    }
    return node->data;
}

void *opc_data(const opc_node *node) {
    return node->data;
}

void opc_scratch(opc_node *node, uint32_t bytes) {
    node->scratch = bytes;
}

void *opc_scratch_data(const opc_node *node) {
    return (void *)node->scratch;
}

opc_status opc_set_dims(opc_node *node, uint32_t i, uint32_t rank, const int32_t *dims) {
    cell *c = cell_of(node->cells, node->outputs, i);
    if (c == NULL || rank > OPC_MAX_RANK) {
        return OPC_FAIL(node, OPC_INTERNAL, "dimensions of an absent output or of a high rank");
    }
    const uint32_t elements = elements_of(rank, dims);
    int32_t *own = (int32_t *)(uintptr_t)c->dims; /* in the arena once the cell is dynamic */
    if (c->data == NULL) {                        /* prepare */
        if (elements > MAX_ELEMENTS) {
            return OPC_FAIL(node, OPC_INVALID_MODEL, "huge output");
        }
        own = arena_alloc(node->it, (OPC_MAX_RANK + 1) * (uint32_t)sizeof *dims);
        if (own == NULL) {
            return fail(node->it, WHY_MEMORY);
        }
        own[OPC_MAX_RANK] = (int32_t)elements;
        c->dims = own;
        c->flags |= OPC_DYNAMIC;
    } else if ((c->flags & OPC_DYNAMIC) == 0 || elements > (uint32_t)own[OPC_MAX_RANK]) {
        return OPC_FAIL(node, OPC_INTERNAL, "output larger than its bound");
    }
    c->rank = (uint8_t)rank;
    c->elements = elements;
    memmove(own, dims, rank * sizeof *dims);
    return OPC_OK;
}
