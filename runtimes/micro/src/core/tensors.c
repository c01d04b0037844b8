/* Views of tensors, and the accessors of a node for its kernel. */
#include <string.h>

#include "fixedpoint.h"
#include "model.h"

uint32_t opc_dtype_bytes(uint8_t dtype) {
    switch (dtype) {
        case OPC_UINT8:
        case OPC_INT8:
        case OPC_BOOL:
            return 1;
        case OPC_FLOAT16:
        case OPC_INT16:
        case OPC_UINT16:
        case OPC_BFLOAT16:
            return 2;
        case OPC_FLOAT32:
        case OPC_INT32:
        case OPC_UINT32:
            return 4;
        case OPC_INT64:
        case OPC_COMPLEX64:
        case OPC_FLOAT64:
        case OPC_UINT64:
            return 8;
        default:
            return 0;
    }
}

uint32_t tensor_bytes(uint8_t dtype, uint32_t n) {
    return dtype == OPC_INT4 ? (n + 1) / 2 : n * opc_dtype_bytes(dtype);
}

fb_vector constant_data(const opc_interpreter *it, uint32_t tensor) {
    const fb_file f = file_of(it);
    const uint32_t buffer = fb_u32(&f, tensor, TENSOR_BUFFER, 0);
    return fb_vec(&f, fb_follow(&f, it->buffers + 4 * buffer), BUFFER_DATA, 1, 1);
}

uint32_t builtin_code(const opc_interpreter *it, uint32_t operator_table) {
    const fb_file f = file_of(it);
    const uint32_t entry = fb_follow(&f, it->opcodes + 4 * fb_u32(&f, operator_table, OPERATOR_OPCODE, 0));
    const uint32_t old_code = fb_u8(&f, entry, OPCODE_DEPRECATED, 0);
    const uint32_t new_code = fb_u32(&f, entry, OPCODE_BUILTIN, 0);
    return new_code > old_code ? new_code : old_code;
}

opc_node node_at(opc_interpreter *it, graph *g, uint32_t index) {
    const fb_file f = file_of(it);
    const uint32_t table = table_at(&f, g->operators, index);
    const opc_node node = {.it = it,
                           .graph = g,
                           .state = &g->nodes[index],
                           .table = table,
                           .inputs = fb_vec(&f, table, OPERATOR_INPUTS, 4, 4),
                           .outputs = fb_vec(&f, table, OPERATOR_OUTPUTS, 4, 4),
                           .index = index};
    return node;
}

static void view_shape(const fb_file *f, const cell *s, const fb_handle *table, opc_tensor *view) {
    if (s->dims != NULL) {
        view->rank = (uint8_t)s->dims[0];
        view->dims = s->dims + 1;
        view->flags |= OPC_DYNAMIC;
    } else {
        const fb_vector shape = fb_vec_at(f, fb_at(f, table, TENSOR_SHAPE, 4), 4, 4);
        view->rank = (uint8_t)shape.count;
        /* Aligned: the file is 16-aligned and the verifier has checked the vector. */
        view->dims = (const int32_t *)(const void *)(f->bytes + shape.at);
    }
    view->elements = 1;
    for (uint32_t i = 0; i < view->rank; i++) {
        view->elements *= (uint32_t)view->dims[i];
    }
}

static void view_quantization(const fb_file *f, const fb_handle *table, opc_tensor *view) {
    const uint32_t field = fb_at(f, table, TENSOR_QUANTIZATION, 4);
    if (field == FB_ABSENT) {
        return;
    }
    const fb_handle q = fb_resolve(f, fb_follow(f, field));
    const fb_vector scales = fb_vec_at(f, fb_at(f, &q, QUANT_SCALE, 4), 4, 1);
    const fb_vector zeros = fb_vec_at(f, fb_at(f, &q, QUANT_ZERO_POINT, 4), 8, 1);
    view->scales = f->bytes + scales.at;
    view->zeros = f->bytes + zeros.at;
    view->scale_count = scales.count;
    view->zero_count = zeros.count;
    const uint32_t axis = fb_at(f, &q, QUANT_AXIS, 4);
    view->axis = axis == FB_ABSENT || axis == FB_BROKEN ? 0 : (int32_t)fb_load32(f->bytes + axis);
}

/* Where the data lies tells it while running; before, constants are those that the file holds and empty tensors that
 * nothing writes. */
static bool is_constant(const opc_interpreter *it, const cell *s, uint32_t table, const opc_tensor *view) {
    if (it->phase == PHASE_INVOKE) {
        return (uintptr_t)s->data - (uintptr_t)it->file < it->file_bytes;
    }
    const bool written = s->data == (const void *)it || s->data == NULL;
    return constant_data(it, table).count != 0 ||
           (view->elements == 0 && !written && (view->flags & OPC_VARIABLE) == 0);
}

bool view_tensor(const opc_interpreter *it, const graph *g, int32_t index, opc_tensor *view) {
    memset(view, 0, sizeof *view);
    if (index < 0) {
        return false;
    }
    const fb_file f = file_of(it);
    const cell *s = &g->cells[index];
    const fb_handle table = fb_resolve(&f, table_at(&f, g->tensors, (uint32_t)index));
    const uint32_t type = fb_at(&f, &table, TENSOR_TYPE, 1);
    const uint32_t variable = fb_at(&f, &table, TENSOR_VARIABLE, 1);
    view->dtype = type == FB_ABSENT ? 0 : f.bytes[type];
    view->flags = variable != FB_ABSENT && f.bytes[variable] != 0 ? OPC_VARIABLE : 0;
    view_shape(&f, s, &table, view);
    view_quantization(&f, &table, view);
    view->bytes = tensor_bytes(view->dtype, view->elements);
    const bool constant = is_constant(it, s, table.table, view);
    view->flags |= constant ? OPC_CONSTANT : 0;
    view->data = constant || (it->phase == PHASE_INVOKE && view->dtype != OPC_RESOURCE) ? s->data : NULL;
    return true;
}

uint32_t opc_input_count(const opc_node *node) {
    return node->inputs.count;
}
uint32_t opc_output_count(const opc_node *node) {
    return node->outputs.count;
}

static int32_t index_in(const opc_interpreter *it, fb_vector v, uint32_t i) {
    const fb_file f = file_of(it);
    return i < v.count ? element(&f, v, i) : -1;
}

bool opc_input(const opc_node *node, uint32_t i, opc_tensor *view) {
    return view_tensor(node->it, node->graph, index_in(node->it, node->inputs, i), view);
}

bool opc_output(const opc_node *node, uint32_t i, opc_tensor *view) {
    return view_tensor(node->it, node->graph, index_in(node->it, node->outputs, i), view);
}

static const graph *graph_of(const opc_interpreter *it, int32_t g) {
    return (uint32_t)g < it->graph_count ? (const graph *)it->graphs + g : NULL;
}

bool opc_model_input(const opc_interpreter *it, uint32_t i, opc_tensor *view) {
    const graph *g = graph_of(it, 0);
    return view_tensor(it, g, index_in(it, g->inputs, i), view);
}

bool opc_model_output(const opc_interpreter *it, uint32_t i, opc_tensor *view) {
    const graph *g = graph_of(it, 0);
    return view_tensor(it, g, index_in(it, g->outputs, i), view);
}

uint32_t opc_model_input_count(const opc_interpreter *it) {
    return graph_of(it, 0)->inputs.count;
}
uint32_t opc_model_output_count(const opc_interpreter *it) {
    return graph_of(it, 0)->outputs.count;
}

uint32_t opc_subgraph_input_count(const opc_node *node, int32_t g) {
    return graph_of(node->it, g)->inputs.count;
}
uint32_t opc_subgraph_output_count(const opc_node *node, int32_t g) {
    return graph_of(node->it, g)->outputs.count;
}

bool opc_subgraph_input(const opc_node *node, int32_t g, uint32_t i, opc_tensor *view) {
    const graph *callee = graph_of(node->it, g);
    return view_tensor(node->it, callee, index_in(node->it, callee->inputs, i), view);
}

bool opc_subgraph_output(const opc_node *node, int32_t g, uint32_t i, opc_tensor *view) {
    const graph *callee = graph_of(node->it, g);
    return view_tensor(node->it, callee, index_in(node->it, callee->outputs, i), view);
}

float opc_scale(const opc_tensor *t, uint32_t c) {
    const uint32_t at = t->scale_count == 1 ? 0 : c;
    float scale = 0.0f;
    if (at < t->scale_count) {
        const uint32_t bits = fb_load32(t->scales + 4 * at);
        memcpy(&scale, &bits, sizeof scale);
    }
    return scale;
}

bool opc_has_scale(const opc_tensor *t, uint32_t c) {
    const uint32_t at = t->scale_count == 1 ? 0 : c;
    return at < t->scale_count && fb_load32(t->scales + 4 * at) != 0;
}

int32_t opc_zero_point(const opc_tensor *t, uint32_t c) {
    const uint32_t at = t->zero_count == 1 ? 0 : c;
    if (at >= t->zero_count) {
        return 0;
    }
    const int64_t zero = (int64_t)fb_load64(t->zeros + 8 * at);
    return zero < INT32_MIN ? INT32_MIN : zero > INT32_MAX ? INT32_MAX : (int32_t)zero;
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
