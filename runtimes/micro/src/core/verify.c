/* The checks that need no kernel: structure, indices, sizes. After it, every position that model.h names is sound. */
#include "model.h"

typedef struct checker {
    opc_interpreter *it;
    fb_file file;
    fb_vector opcodes;
    fb_vector buffers;
    uint32_t subgraphs;
    uint32_t steps; /* left; parts of a file may be shared, so that a small file can describe an endless walk */
} checker;

static bool spend(checker *c, uint32_t steps) {
    const bool enough = c->steps >= steps;
    c->steps = enough ? c->steps - steps : 0;
    return enough;
}

static opc_status invalid(const checker *c, const char *why) {
    return fail(c->it, OPC_INVALID_MODEL, why);
}
#ifdef OPC_NO_TEXT
#define INVALID(c, why) invalid((c), NULL)
#else
#define INVALID(c, why) invalid((c), (why))
#endif

/* A vector of tables or of int32 that must be sound; an absent one is empty. */
static bool sound(checker *c, fb_vector v) {
    return v.at != FB_BROKEN && spend(c, v.count + 1);
}

static fb_vector vector_of(checker *c, uint32_t table, uint32_t slot) {
    return fb_vec(&c->file, table, slot, 4, 4);
}

/* Product of the dimensions, or UINT32_MAX when one is negative or the bytes exceed the limit. */
static uint32_t elements_of(const checker *c, fb_vector shape) {
    uint32_t elements = 1;
    bool empty = false;
    for (uint32_t i = 0; i < shape.count; i++) {
        const int32_t dim = element(&c->file, shape, i);
        if (dim < 0) {
            return UINT32_MAX;
        }
        if (dim == 0) {
            empty = true;
        } else if (elements > MAX_TENSOR_BYTES / 16 / (uint32_t)dim) {
            return UINT32_MAX;
        } else {
            elements *= (uint32_t)dim;
        }
    }
    return empty ? 0 : elements;
}

static bool scale_is_sound(uint32_t bits) {
    return bits < 0x7F800000U; /* not negative, not infinite, not NaN */
}

static opc_status check_quantization(checker *c, uint32_t tensor, fb_vector shape) {
    const fb_file *f = &c->file;
    const uint32_t q = fb_table(f, tensor, TENSOR_QUANTIZATION);
    if (q == FB_ABSENT) {
        return OPC_OK;
    }
    if (q == FB_BROKEN || !fb_table_ok(f, q)) {
        return INVALID(c, "damaged quantization");
    }
    const fb_vector scales = fb_vec(f, q, QUANT_SCALE, 4, 1);
    const fb_vector zeros = fb_vec(f, q, QUANT_ZERO_POINT, 8, 1);
    if (!sound(c, scales) || !sound(c, zeros)) {
        return INVALID(c, "damaged quantization");
    }
    for (uint32_t i = 0; i < scales.count; i++) {
        if (!scale_is_sound(fb_word(f, scales.at + 4 * i))) {
            return INVALID(c, "a scale is negative or not finite");
        }
    }
    if (scales.count != 0 && zeros.count > 1 && zeros.count != scales.count) {
        return INVALID(c, "scales and zero points differ in number");
    }
    const uint32_t axis = fb_u32(f, q, QUANT_AXIS, 0);
    /* Real models carry an axis other than 0 on per-channel vectors (biases), where only one is possible. */
    if (scales.count > 1 && shape.count > 1 &&
        (axis >= shape.count || (uint32_t)element(f, shape, axis) != scales.count)) {
        return INVALID(c, "scales do not fit the quantized dimension");
    }
    return OPC_OK;
}

static opc_status check_tensor(checker *c, uint32_t tensor) {
    const fb_file *f = &c->file;
    if (tensor == FB_BROKEN || !fb_table_ok(f, tensor)) {
        return INVALID(c, "damaged tensor");
    }
    const fb_vector shape = vector_of(c, tensor, TENSOR_SHAPE);
    if (!sound(c, shape)) {
        return INVALID(c, "damaged shape");
    }
    if (shape.count > OPC_MAX_RANK) {
        return FAIL(c->it, OPC_UNSUPPORTED, "rank above 8");
    }
    const uint32_t elements = elements_of(c, shape);
    if (elements == UINT32_MAX) {
        return INVALID(c, "negative or huge dimension");
    }
    const uint32_t buffer = fb_u32(f, tensor, TENSOR_BUFFER, 0);
    if (buffer >= c->buffers.count) {
        return INVALID(c, "buffer index out of range");
    }
    const fb_vector data = constant_data(c->it, tensor);
    const uint8_t dtype = (uint8_t)fb_u8(f, tensor, TENSOR_TYPE, 0);
    if (data.count != 0 && data.count < tensor_bytes(dtype, elements)) {
        return INVALID(c, "buffer shorter than its tensor");
    }
    if (data.count != 0 && fb_u8(f, tensor, TENSOR_VARIABLE, 0) != 0) {
        return INVALID(c, "variable tensor with constant data");
    }
    if (fb_table(f, tensor, TENSOR_SPARSITY) != FB_ABSENT) {
        return FAIL(c->it, OPC_UNSUPPORTED, "sparse tensor");
    }
    return check_quantization(c, tensor, shape);
}

static opc_status check_indices(checker *c, fb_vector v, uint32_t limit, bool optional) {
    if (!sound(c, v)) {
        return INVALID(c, "damaged index vector");
    }
    for (uint32_t i = 0; i < v.count; i++) {
        const int32_t index = element(&c->file, v, i);
        const bool absent = optional && index == -1;
        if (!absent && (uint32_t)index >= limit) {
            return INVALID(c, "tensor index out of range");
        }
    }
    return OPC_OK;
}

static opc_status check_operator(checker *c, uint32_t table, uint32_t tensors) {
    const fb_file *f = &c->file;
    if (table == FB_BROKEN || !fb_table_ok(f, table)) {
        return INVALID(c, "damaged operator");
    }
    if (fb_u32(f, table, OPERATOR_OPCODE, 0) >= c->opcodes.count) {
        return INVALID(c, "operator code index out of range");
    }
    const opc_status status = check_indices(c, vector_of(c, table, OPERATOR_INPUTS), tensors, true);
    if (status != OPC_OK) {
        return status;
    }
    const uint32_t options = fb_table(f, table, OPERATOR_OPTIONS);
    if (options == FB_BROKEN || (options != FB_ABSENT && !fb_table_ok(f, options))) {
        return INVALID(c, "damaged options");
    }
    return check_indices(c, vector_of(c, table, OPERATOR_OUTPUTS), tensors, false);
}

static opc_status check_subgraph(checker *c, uint32_t table) {
    const fb_file *f = &c->file;
    if (table == FB_BROKEN || !fb_table_ok(f, table)) {
        return INVALID(c, "damaged subgraph");
    }
    const fb_vector tensors = vector_of(c, table, SUBGRAPH_TENSORS);
    const fb_vector operators = vector_of(c, table, SUBGRAPH_OPERATORS);
    if (!sound(c, tensors) || !sound(c, operators)) {
        return INVALID(c, "damaged subgraph");
    }
    if (tensors.count > MAX_TENSORS) {
        return FAIL(c->it, OPC_UNSUPPORTED, "more than 16384 tensors in a subgraph");
    }
    opc_status status = check_indices(c, vector_of(c, table, SUBGRAPH_INPUTS), tensors.count, false);
    if (status == OPC_OK) {
        status = check_indices(c, vector_of(c, table, SUBGRAPH_OUTPUTS), tensors.count, false);
    }
    for (uint32_t i = 0; status == OPC_OK && i < tensors.count; i++) {
        status = check_tensor(c, table_at(f, tensors, i));
    }
    for (uint32_t i = 0; status == OPC_OK && i < operators.count; i++) {
        status = check_operator(c, table_at(f, operators, i), tensors.count);
    }
    return status;
}

static opc_status check_buffers(checker *c) {
    const fb_file *f = &c->file;
    for (uint32_t i = 0; i < c->buffers.count; i++) {
        const uint32_t buffer = table_at(f, c->buffers, i);
        if (buffer == FB_BROKEN || !fb_table_ok(f, buffer)) {
            return INVALID(c, "damaged buffer");
        }
        if (fb_vec(f, buffer, BUFFER_DATA, 1, 1).at == FB_BROKEN) {
            return INVALID(c, "buffer data outside the file");
        }
        if (fb_u32(f, buffer, BUFFER_OFFSET, 0) > 1) {
            return FAIL(c->it, OPC_UNSUPPORTED, "buffer data behind the flatbuffer");
        }
    }
    return OPC_OK;
}

static opc_status check_opcodes(checker *c) {
    for (uint32_t i = 0; i < c->opcodes.count; i++) {
        const uint32_t code = table_at(&c->file, c->opcodes, i);
        if (code == FB_BROKEN || !fb_table_ok(&c->file, code)) {
            return INVALID(c, "damaged operator code");
        }
    }
    return OPC_OK;
}

opc_status verify_model(opc_interpreter *it) {
    checker c = {.it = it, .file = file_of(it), .steps = it->file_bytes};
    const fb_file *f = &c.file;
    if (f->size < 8 || fb_load32(f->bytes + 4) != 0x334C4654U /* TFL3 */) {
        return INVALID(&c, "no TFL3 identifier");
    }
    const uint32_t root = fb_follow(f, 0);
    if (root == FB_BROKEN || !fb_table_ok(f, root)) {
        return INVALID(&c, "damaged model table");
    }
    if (fb_u32(f, root, MODEL_VERSION, 0) != 3) {
        return INVALID(&c, "schema version is not 3");
    }
    c.opcodes = vector_of(&c, root, MODEL_OPCODES);
    c.buffers = vector_of(&c, root, MODEL_BUFFERS);
    const fb_vector subgraphs = vector_of(&c, root, MODEL_SUBGRAPHS);
    if (!sound(&c, c.opcodes) || !sound(&c, c.buffers) || !sound(&c, subgraphs)) {
        return INVALID(&c, "damaged model vectors");
    }
    it->buffers = c.buffers.at;
    it->opcodes = c.opcodes.at;
    if (subgraphs.count == 0) {
        return INVALID(&c, "no subgraph");
    }
    opc_status status = check_opcodes(&c);
    if (status == OPC_OK) {
        status = check_buffers(&c);
    }
    for (uint32_t i = 0; status == OPC_OK && i < subgraphs.count; i++) {
        status = check_subgraph(&c, table_at(f, subgraphs, i));
    }
    if (status == OPC_INVALID_MODEL && c.steps == 0) {
        return INVALID(&c, "more parts than a file of this size can hold: they are shared");
    }
    it->graph_count = subgraphs.count;
    return status;
}
