/* Views of tensors, and the accessors of a node for its kernel. */
#include <string.h>

#include "fixedpoint.h"
#include "model.h"

const uint8_t dtype_half_bytes[] = {
    [OPC_FLOAT32] = 8, [OPC_FLOAT16] = 4, [OPC_INT32] = 8,  [OPC_UINT8] = 2,      [OPC_INT64] = 16,
    [OPC_BOOL] = 2,    [OPC_INT16] = 4,   [OPC_INT8] = 2,   [OPC_COMPLEX64] = 16, [OPC_FLOAT64] = 16,
    [OPC_UINT64] = 16, [OPC_UINT32] = 8,  [OPC_UINT16] = 4, [OPC_INT4] = 1,       [OPC_BFLOAT16] = 4};

uint32_t opc_dtype_bytes(uint8_t dtype) {
    return dtype < sizeof dtype_half_bytes ? dtype_half_bytes[dtype] >> 1U : 0;
}

cell *cell_of(cell *cells, fb_vector v, uint32_t i) {
    return i < *v && index_at(v, i) >= 0 ? &cells[index_at(v, i)] : NULL;
}

bool view_of(cell *cells, fb_vector v, uint32_t i, opc_tensor *view) {
    const cell *c = cell_of(cells, v, i);
    if (c == NULL) {
        memset(view, 0, sizeof *view);
        return false;
    }
    view->data = c->data;
    view->dims = c->dims;
    view->scales = (const uint8_t *)(c->scales + 1);
    view->zeros = (const uint8_t *)(c->zeros + 1);
    view->scale_count = *c->scales;
    view->zero_count = *c->zeros;
    view->elements = c->elements;
    view->bytes = cell_bytes(c);
    view->axis = c->axis;
    view->dtype = c->dtype;
    view->rank = c->rank;
    view->flags = c->flags;
    return true;
}

uint32_t opc_input_count(const opc_node *node) {
    return *node->inputs;
}
uint32_t opc_output_count(const opc_node *node) {
    return *node->outputs;
}

bool opc_input(const opc_node *node, uint32_t i, opc_tensor *view) {
    return view_of(node->cells, node->inputs, i, view);
}

bool opc_output(const opc_node *node, uint32_t i, opc_tensor *view) {
    return view_of(node->cells, node->outputs, i, view);
}

void *opc_input_data(const opc_node *node, uint32_t i) {
    const cell *c = cell_of(node->cells, node->inputs, i);
    return c == NULL ? NULL : c->data;
}

void *opc_output_data(const opc_node *node, uint32_t i) {
    const cell *c = cell_of(node->cells, node->outputs, i);
    return c == NULL ? NULL : c->data;
}

static const graph *graph_of(const opc_interpreter *it, int32_t g) {
    return (const graph *)it->graphs + g;
}

bool opc_model_input(const opc_interpreter *it, uint32_t i, opc_tensor *view) {
    const graph *g = graph_of(it, 0);
    return view_of(g->cells, g->inputs, i, view);
}

bool opc_model_output(const opc_interpreter *it, uint32_t i, opc_tensor *view) {
    const graph *g = graph_of(it, 0);
    return view_of(g->cells, g->outputs, i, view);
}

uint32_t opc_model_input_count(const opc_interpreter *it) {
    return *graph_of(it, 0)->inputs;
}
uint32_t opc_model_output_count(const opc_interpreter *it) {
    return *graph_of(it, 0)->outputs;
}

uint32_t opc_subgraph_input_count(const opc_node *node, int32_t g) {
    return *graph_of(node->it, g)->inputs;
}
uint32_t opc_subgraph_output_count(const opc_node *node, int32_t g) {
    return *graph_of(node->it, g)->outputs;
}

bool opc_subgraph_input(const opc_node *node, int32_t g, uint32_t i, opc_tensor *view) {
    const graph *callee = graph_of(node->it, g);
    return view_of(callee->cells, callee->inputs, i, view);
}

bool opc_subgraph_output(const opc_node *node, int32_t g, uint32_t i, opc_tensor *view) {
    const graph *callee = graph_of(node->it, g);
    return view_of(callee->cells, callee->outputs, i, view);
}

/* Vectors of the file are 4-aligned, and no target is big-endian: constants are read in place, too. */
static uint32_t word_at(const uint8_t *vector, uint32_t i) {
    return ((const uint32_t *)(const void *)vector)[i];
}

float opc_scale(const opc_tensor *t, uint32_t c) {
    const uint32_t at = t->scale_count == 1 ? 0 : c;
    float scale = 0.0f;
    if (at < t->scale_count) {
        const uint32_t bits = word_at(t->scales, at);
        memcpy(&scale, &bits, sizeof scale);
    }
    return scale;
}

bool opc_has_scale(const opc_tensor *t, uint32_t c) {
    const uint32_t at = t->scale_count == 1 ? 0 : c;
    return at < t->scale_count && word_at(t->scales, at) != 0;
}

int32_t opc_zero_point(const opc_tensor *t, uint32_t c) {
    const uint32_t at = t->zero_count == 1 ? 0 : c;
    if (at >= t->zero_count) {
        return 0;
    }
    const int32_t low = (int32_t)word_at(t->zeros, 2 * at);
    const int32_t high = (int32_t)word_at(t->zeros, 2 * at + 1);
    if (high == low >> 31) {
        return low;
    }
    return high < 0 ? INT32_MIN : INT32_MAX;
}

bool opc_is_quantized(const opc_tensor *t) {
    int32_t lo;
    int32_t hi;
    opc_dtype_range(t->dtype, &lo, &hi);
    const int32_t zero = opc_zero_point(t, 0);
    /* The verifier has refused scales that are negative or not finite. */
    return t->scale_count == 1 && t->zero_count <= 1 && opc_has_scale(t, 0) && zero >= lo && zero <= hi;
}

bool opc_same_shape(const opc_tensor *a, const opc_tensor *b) {
    return a->rank == b->rank && (a->rank == 0 || memcmp(a->dims, b->dims, a->rank * sizeof a->dims[0]) == 0);
}
