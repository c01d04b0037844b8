/* The checks that need no kernel (structure, indices, sizes), and the records that are made from what they have
 * checked. After it, every position and every vector in a record is sound. */
#include <string.h>

#include "model.h"

enum { DAMAGED_SHARED = 2 };

/* Parts of a file may be shared, so that a small file can describe an endless walk: it->spent counts down. */
static fb_vector list_of(opc_interpreter *it, uint32_t table, uint32_t slot, uint32_t log2_width) {
    const fb_vector v = fb_list(it, table, slot, log2_width);
    if (*v >= it->spent) {
        it->damaged |= DAMAGED_SHARED;
        return fb_empty;
    }
    it->spent -= *v + 1;
    return v;
}

uint32_t elements_of(uint32_t rank, const int32_t *dims) {
    uint32_t elements = 1;
    bool empty = false;
    for (uint32_t i = 0; i < rank; i++) {
        const uint32_t dim = (uint32_t)dims[i];
        empty |= dim == 0;
        if (dim != 0 && elements > MAX_ELEMENTS / dim) {
            return UINT32_MAX;
        }
        elements *= dim == 0 ? 1U : dim;
    }
    return empty ? 0 : elements;
}

static opc_status parse_quantization(opc_interpreter *it, uint32_t tensor, cell *c) {
    c->scales = fb_empty;
    c->zeros = fb_empty;
    const uint32_t q = fb_table(it, tensor, TENSOR_QUANTIZATION);
    if (q == 0) {
        return OPC_OK;
    }
    c->scales = list_of(it, q, QUANT_SCALE, FB_WORDS);
    c->zeros = list_of(it, q, QUANT_ZERO_POINT, FB_LONGS);
    const uint32_t axis = fb_number(it, q, QUANT_AXIS, 4);
    const uint32_t scales = *c->scales;
    c->axis = (int8_t)(axis < INT8_MAX ? axis : INT8_MAX);
    for (uint32_t i = 1; i <= scales; i++) {
        if (c->scales[i] >= 0x7F800000U) { /* negative, infinite or NaN */
            return fail(it, WHY_SCALE);
        }
    }
    if (scales != 0 && *c->zeros > 1 && *c->zeros != scales) {
        return fail(it, WHY_ZERO_POINTS);
    }
    /* Real models carry an axis other than 0 on per-channel vectors (biases), where only one is possible. */
    if (scales > 1 && c->rank > 1 && (axis >= c->rank || (uint32_t)c->dims[axis] != scales)) {
        return fail(it, WHY_AXIS);
    }
    return OPC_OK;
}

/* Constants stay in the file; only those that a builder left unaligned are copied. */
static opc_status parse_data(opc_interpreter *it, uint32_t tensor, cell *c) {
    const fb_vector buffers = fb_list(it, fb_follow(it, 0), MODEL_BUFFERS, FB_WORDS);
    const uint32_t index = fb_number(it, tensor, TENSOR_BUFFER, 4);
    const bool variable = fb_number(it, tensor, TENSOR_VARIABLE, 1) != 0;
    const uint32_t bytes = cell_bytes(c);
    if (index >= *buffers) {
        return fail(it, WHY_BUFFER_INDEX);
    }
    const uint32_t buffer = fb_element(it, buffers + 1 + index);
    const fb_vector data = fb_list(it, buffer, BUFFER_DATA, FB_BYTES);
    if (fb_number(it, buffer, BUFFER_OFFSET, 4) > 1) {
        return fail(it, WHY_OUTSIDE);
    }
    if (*data == 0 && !variable) {
        return OPC_OK;
    }
    if (*data != 0 && (variable || *data < bytes)) {
        return fail(it, variable ? WHY_VARIABLE_DATA : WHY_BUFFER_SHORT);
    }
    c->flags = variable ? OPC_VARIABLE : OPC_CONSTANT;
    if (variable) {
        return OPC_OK; /* memory comes with the plan */
    }
    /* The slot serves constants too; nothing writes through it, since no node may have a constant output. */
    c->data = (void *)(uintptr_t)(data + 1);
    /* Vectors are 4-aligned, so that only elements of 8 bytes can be unaligned. */
    if (((uintptr_t)c->data & 4U) != 0 && dtype_half_bytes[c->dtype] == 16) {
        c->data = arena_alloc(it, bytes);
        if (c->data == NULL) {
            return fail(it, WHY_MEMORY);
        }
        memcpy(c->data, data + 1, bytes);
    }
    return OPC_OK;
}

static opc_status parse_tensor(opc_interpreter *it, uint32_t tensor, cell *c) {
    const fb_vector shape = list_of(it, tensor, TENSOR_SHAPE, FB_WORDS);
    const uint32_t dtype = fb_number(it, tensor, TENSOR_TYPE, 1);
    if (*shape > OPC_MAX_RANK) {
        return fail(it, WHY_RANK);
    }
    if (dtype > OPC_BFLOAT16) {
        return fail(it, WHY_TYPE);
    }
    c->dims = (const int32_t *)(shape + 1);
    c->rank = (uint8_t)*shape;
    c->dtype = (uint8_t)dtype;
    c->elements = elements_of(c->rank, c->dims);
    if (c->elements > MAX_ELEMENTS) {
        return fail(it, WHY_DIMENSION);
    }
    if (fb_table(it, tensor, TENSOR_SPARSITY) != 0) {
        return fail(it, WHY_SPARSE);
    }
    const opc_status status = parse_data(it, tensor, c);
    return status != OPC_OK ? status : parse_quantization(it, tensor, c);
}

/* `absent` is 1 where an index may be -1. */
static opc_status check_indices(opc_interpreter *it, fb_vector v, uint32_t limit, uint32_t absent) {
    for (uint32_t i = 1; i <= *v; i++) {
        if (v[i] + absent >= limit + absent) {
            return fail(it, WHY_INDEX);
        }
    }
    return OPC_OK;
}

static opc_status parse_operator(opc_interpreter *it, const graph *g, uint32_t table, opc_node *node) {
    node->it = it;
    node->cells = g->cells;
    node->table = table;
    node->inputs = list_of(it, table, OPERATOR_INPUTS, FB_WORDS);
    node->outputs = list_of(it, table, OPERATOR_OUTPUTS, FB_WORDS);
    if (fb_number(it, table, OPERATOR_OPCODE, 4) >= *it->opcodes) {
        return fail(it, WHY_OPCODE);
    }
    const opc_status status = check_indices(it, node->inputs, g->cell_count, 1);
    return status != OPC_OK ? status : check_indices(it, node->outputs, g->cell_count, 0);
}

static opc_status parse_subgraph(opc_interpreter *it, uint32_t table, graph *g) {
    const fb_vector tensors = list_of(it, table, SUBGRAPH_TENSORS, FB_WORDS);
    const fb_vector operators = list_of(it, table, SUBGRAPH_OPERATORS, FB_WORDS);
    g->inputs = list_of(it, table, SUBGRAPH_INPUTS, FB_WORDS);
    g->outputs = list_of(it, table, SUBGRAPH_OUTPUTS, FB_WORDS);
    g->cell_count = *tensors;
    g->node_count = *operators;
    if (g->cell_count > MAX_TENSORS || g->node_count > MAX_NODES) {
        return fail(it, WHY_MANY);
    }
    g->cells = arena_alloc(it, g->cell_count * (uint32_t)sizeof(cell));
    g->nodes = arena_alloc(it, g->node_count * (uint32_t)sizeof(opc_node));
    if (g->cells == NULL || g->nodes == NULL) {
        return fail(it, WHY_MEMORY);
    }
    opc_status status = check_indices(it, g->inputs, g->cell_count, 0);
    if (status == OPC_OK) {
        status = check_indices(it, g->outputs, g->cell_count, 0);
    }
    for (uint32_t i = 0; status == OPC_OK && i < g->cell_count; i++) {
        status = parse_tensor(it, fb_element(it, tensors + 1 + i), &g->cells[i]);
        status = it->damaged != 0 ? fail(it, WHY_TENSOR) : status;
    }
    for (uint32_t i = 0; status == OPC_OK && i < g->node_count; i++) {
        status = parse_operator(it, g, fb_element(it, operators + 1 + i), &g->nodes[i]);
        status = it->damaged != 0 ? fail(it, WHY_OPERATOR) : status;
    }
    return status;
}

static opc_status parse_subgraphs(opc_interpreter *it, uint32_t root) {
    const fb_vector subgraphs = list_of(it, root, MODEL_SUBGRAPHS, FB_WORDS);
    it->opcodes = fb_list(it, root, MODEL_OPCODES, FB_WORDS);
    if (fb_number(it, root, MODEL_VERSION, 4) != 3 || it->damaged != 0) {
        return fail(it, it->damaged != 0 ? WHY_MODEL : WHY_VERSION);
    }
    if (*subgraphs - 1U >= MAX_TENSORS) {
        return fail(it, WHY_NO_SUBGRAPH);
    }
    it->graph_count = *subgraphs;
    it->graphs = arena_alloc(it, it->graph_count * (uint32_t)sizeof(graph));
    if (it->graphs == NULL) {
        return fail(it, WHY_MEMORY);
    }
    opc_status status = OPC_OK;
    for (uint32_t i = 0; status == OPC_OK && i < it->graph_count; i++) {
        status = parse_subgraph(it, fb_element(it, subgraphs + 1 + i), (graph *)it->graphs + i);
        status = status == OPC_OK && it->damaged != 0 ? fail(it, WHY_SUBGRAPH) : status;
    }
    return (it->damaged & DAMAGED_SHARED) != 0 ? fail(it, WHY_SHARED) : status;
}

opc_status parse_model(opc_interpreter *it) {
    if (it->file_bytes < 8 || fb_load32(it->file + 4) != 0x334C4654U /* TFL3 */) {
        return fail(it, WHY_IDENTIFIER);
    }
    it->spent = it->file_bytes;
    return parse_subgraphs(it, fb_follow(it, 0));
}
