/* Resource variables. Linked only into images whose kernels use them. */
#include <string.h>

#include "model.h"

static bool same_text(const char *a, uint32_t a_length, const char *b, uint32_t b_length) {
    return a_length == b_length && (a_length == 0 || memcmp(a, b, a_length) == 0);
}

opc_status opc_bind_resource(opc_node *node, const char *container, uint32_t container_length, const char *name,
                             uint32_t name_length) {
    opc_interpreter *it = node->it;
    cell *handle = cell_of(node->cells, node->outputs, 0);
    if (handle == NULL || handle->dtype != OPC_RESOURCE) {
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
            return fail(it, WHY_MEMORY);
        }
        r->container = container;
        r->container_length = container_length;
        r->name = name;
        r->name_length = name_length;
        r->next = it->resources;
        it->resources = r;
    }
    handle->data = r;
    return OPC_OK;
}

/* The record behind input 0, or NULL: only opc_bind_resource gives a written resource tensor an address. */
static resource *resource_of(const opc_node *node) {
    const cell *handle = cell_of(node->cells, node->inputs, 0);
    const bool bound =
        handle != NULL && handle->dtype == OPC_RESOURCE && (handle->flags & (OPC_CONSTANT | OPC_VARIABLE)) == 0;
    return bound ? handle->data : NULL;
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
            return fail(node->it, WHY_MEMORY);
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
