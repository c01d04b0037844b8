/* A complete worker for opconform in one file of C99: a runtime that knows ADD and ABS, float32 and int8.
 *
 *   cc -std=c99 -O2 docs/examples/tiny_worker.c -o tiny_worker -lm
 *   opconform smoke "exec:./tiny_worker"
 *   opconform run --runtime "exec:./tiny_worker" --op ADD --row int8
 *
 * For a worker of your own: nothing but answers may reach stdout, every frame gets an answer with its sequence number
 * (docs/wire.md), and what you cannot do is said as ERROR instead of done wrongly. Runs on little-endian machines. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { HELLO = 1, OPEN = 2, RUN = 3, CLOSE = 4, BYE = 5, ANSWER = 0x80, ERROR = 192 };
enum { UNSUPPORTED = 1, INVALID_MODEL = 2, INVALID_INPUT = 3, BAD_FRAME = 8 };
enum { HEADER = 20, LARGEST = 1 << 20, MAX_RANK = 6, MAX_ELEMENTS = 1 << 18 };
enum { FLOAT32 = 0, INT8 = 9, ADD = 0, ABS = 101 };
/* Field slots of the schema's tables. */
enum { MODEL_CODES = 1, MODEL_GRAPHS = 2, CODE_OLD = 0, CODE_NEW = 3 };
enum { GRAPH_TENSORS = 0, GRAPH_INPUTS = 1, GRAPH_OUTPUTS = 2, GRAPH_NODES = 3 };
enum { TENSOR_SHAPE = 0, TENSOR_TYPE = 1, TENSOR_QUANT = 4, QUANT_SCALE = 2, QUANT_ZERO = 3 };
enum { NODE_CODE = 0, NODE_INPUTS = 1, NODE_OUTPUTS = 2, NODE_OPTIONS = 4, ADD_ACTIVATION = 0 };

typedef struct {
    uint8_t dtype;
    uint8_t rank;
    uint32_t dims[MAX_RANK];
    uint32_t elements; /* product of dims, at most MAX_ELEMENTS */
    float scale;
    int32_t zero_point;
} tensor;

/* The model that is open: tensors 0 .. inputs-1 are inputs, tensor `inputs` is the output. */
static struct {
    uint32_t op;
    uint32_t inputs; /* 1 or 2; 0: no model is open */
    tensor tensors[3];
} opened;

/* What refused a model or an input: 0 means nothing did. */
static struct {
    uint16_t code;
    const char *text;
} failure;

static uint8_t request[LARGEST];
static uint8_t answer[HEADER + 1024 + LARGEST];
static uint32_t request_size, answer_size; /* of the payloads */

static void fail(uint16_t code, const char *text) {
    if (failure.code == 0) { /* the first reason is the one that helps */
        failure.code = code;
        failure.text = text;
    }
}

/* --- reading the flatbuffer: every read is checked against the size of the file --- */
static uint32_t load(uint32_t at, uint32_t size) {
    uint32_t value = 0;
    if (at > request_size || size > request_size - at) {
        fail(INVALID_MODEL, "an offset leads out of the file");
        return 0;
    }
    memcpy(&value, request + at, size);
    return value;
}

/* Unsigned sums may wrap for a mad offset; wherever they lead, `load` checks. */
static uint32_t follow(uint32_t at) { return at + load(at, 4); }

/* Return where a field of a table is, 0 where it is not stored. */
static uint32_t field(uint32_t table, uint32_t slot) {
    const uint32_t vtable = table - load(table, 4);
    const uint32_t entry = 4 + 2 * slot;
    const uint32_t offset = entry + 2 > load(vtable, 2) ? 0 : load(vtable + entry, 2);
    return offset == 0 ? 0 : table + offset;
}

static uint32_t scalar(uint32_t table, uint32_t slot, uint32_t size) {
    const uint32_t at = field(table, slot);
    return at == 0 ? 0 : load(at, size);
}

/* Return where the elements of a vector field are, and how many; a missing vector is empty. */
static uint32_t vector(uint32_t table, uint32_t slot, uint32_t *count) {
    const uint32_t at = field(table, slot);
    const uint32_t start = at == 0 ? 0 : follow(at);
    *count = at == 0 ? 0 : load(start, 4);
    return start + 4;
}

static uint32_t child(uint32_t table, uint32_t slot, uint32_t index) {
    uint32_t count;
    const uint32_t start = vector(table, slot, &count);
    if (index >= count) {
        fail(INVALID_MODEL, "an index leads out of its vector");
        return 0;
    }
    return follow(start + 4 * index);
}

static void read_tensor(uint32_t graph, uint32_t index, tensor *out) {
    const uint32_t table = child(graph, GRAPH_TENSORS, index);
    uint32_t count, axis, quant = field(table, TENSOR_QUANT);
    const uint32_t shape = vector(table, TENSOR_SHAPE, &count);
    memset(out, 0, sizeof *out);
    out->dtype = (uint8_t)scalar(table, TENSOR_TYPE, 1);
    out->elements = 1;
    if (count > MAX_RANK) {
        fail(UNSUPPORTED, "more than 6 dimensions are not supported");
        return;
    }
    out->rank = (uint8_t)count;
    for (axis = 0; axis < count; axis++) {
        out->dims[axis] = load(shape + 4 * axis, 4);
        if (out->dims[axis] != 0 && out->elements > MAX_ELEMENTS / out->dims[axis]) {
            fail(UNSUPPORTED, "more than 262144 elements are not supported");
            return;
        }
        out->elements *= out->dims[axis];
    }
    if (quant != 0) {
        const uint32_t parameters = follow(quant);
        const uint32_t scales = vector(parameters, QUANT_SCALE, &count);
        const uint32_t bits = count > 0 ? load(scales, 4) : 0;
        memcpy(&out->scale, &bits, 4);
        quant = vector(parameters, QUANT_ZERO, &count);
        out->zero_point = count > 0 ? (int32_t)load(quant, 4) : 0; /* the low half of 64 bits is enough for int8 */
    }
}

/* --- opening a model --- */
static void check_tensors(void) {
    uint32_t index;
    const tensor *first = &opened.tensors[0];
    for (index = 0; index <= opened.inputs; index++) {
        const tensor *t = &opened.tensors[index];
        if (t->dtype != FLOAT32 && t->dtype != INT8) {
            fail(UNSUPPORTED, "only float32 and int8 are supported");
        } else if (t->dtype != first->dtype) {
            fail(INVALID_MODEL, "all tensors of an operator must have one dtype");
        } else if (t->rank != first->rank || memcmp(t->dims, first->dims, sizeof t->dims) != 0) {
            fail(UNSUPPORTED, "tensors of different shapes are not supported");
        } else if (t->dtype == INT8 && !(t->scale > 0.0F && isfinite(t->scale))) {
            fail(INVALID_MODEL, "an int8 tensor needs a positive scale");
        } else if (t->dtype == INT8 && (t->zero_point < -128 || t->zero_point > 127)) {
            fail(INVALID_MODEL, "the zero point of an int8 tensor is one of its values");
        }
    }
}

static void read_node(uint32_t model, uint32_t graph) {
    const uint32_t node = child(graph, GRAPH_NODES, 0);
    const uint32_t code = child(model, MODEL_CODES, scalar(node, NODE_CODE, 4));
    const uint32_t old = scalar(code, CODE_OLD, 1), new = scalar(code, CODE_NEW, 4);
    const uint32_t options = field(node, NODE_OPTIONS);
    uint32_t count, fed, index;
    const uint32_t inputs = vector(node, NODE_INPUTS, &count);
    const uint32_t graph_inputs = vector(graph, GRAPH_INPUTS, &fed);
    opened.op = new > old ? new : old;
    if (opened.op != ADD && opened.op != ABS) {
        fail(UNSUPPORTED, "only the operators ADD and ABS are supported");
    } else if (opened.op == ADD && options != 0 && scalar(follow(options), ADD_ACTIVATION, 1) != 0) {
        fail(UNSUPPORTED, "a fused activation is not supported");
    } else if (count != (opened.op == ADD ? 2U : 1U)) {
        fail(INVALID_MODEL, "a wrong number of inputs for the operator");
    } else if (fed != count) {
        fail(UNSUPPORTED, "constant inputs are not supported");
    }
    for (index = 0; failure.code == 0 && index < count; index++) {
        const uint32_t tensor_index = load(inputs + 4 * index, 4);
        if (tensor_index != load(graph_inputs + 4 * index, 4)) {
            fail(UNSUPPORTED, "the graph's inputs must be the operator's, in its order");
        }
        read_tensor(graph, tensor_index, &opened.tensors[index]);
    }
    opened.inputs = count;
}

static void open_model(void) {
    uint32_t model, graph, outputs, nodes, graphs;
    memset(&opened, 0, sizeof opened);
    if (request_size < 8 || memcmp(request + 4, "TFL3", 4) != 0) {
        fail(INVALID_MODEL, "no TFL3 identifier: this is no .tflite file");
        return;
    }
    model = follow(0);
    (void)vector(model, MODEL_GRAPHS, &graphs);
    graph = child(model, MODEL_GRAPHS, 0);
    (void)vector(graph, GRAPH_NODES, &nodes);
    if (failure.code == 0 && (graphs != 1 || nodes != 1)) {
        fail(UNSUPPORTED, "only models of one operator are supported");
    }
    if (failure.code == 0) {
        read_node(model, graph);
    }
    if (failure.code == 0) {
        const uint32_t output = load(vector(graph, GRAPH_OUTPUTS, &outputs), 4);
        if (outputs != 1) {
            fail(INVALID_MODEL, "a wrong number of outputs for the operator");
        }
        read_tensor(graph, output, &opened.tensors[opened.inputs]);
        check_tensors();
    }
    if (failure.code != 0) {
        opened.inputs = 0;
    }
}

/* --- the kernels --- */
static double real_value(const tensor *t, const uint8_t *data, uint32_t index) {
    float value;
    if (t->dtype == INT8) {
        const int8_t q = (int8_t)data[index];
        return (double)t->scale * (q - t->zero_point);
    }
    memcpy(&value, data + 4 * (size_t)index, 4);
    return (double)value;
}

static void store(const tensor *t, uint8_t *data, uint32_t index, double value) {
    const float single = (float)value;
    if (t->dtype == INT8) {
        const double q = round(value / (double)t->scale) + t->zero_point;
        data[index] = (uint8_t)(int8_t)(q > 127 ? 127 : q < -128 ? -128 : q);
        return;
    }
    memcpy(data + 4 * (size_t)index, &single, 4);
}

/* The sum of two float32 values in double, rounded once to float32, is their float32 sum: 53 >= 2 * 24 + 2 bits. */
static void invoke(const uint8_t *const inputs[2], uint8_t *output) {
    const tensor *a = &opened.tensors[0], *b = &opened.tensors[1], *y = &opened.tensors[opened.inputs];
    uint32_t index;
    for (index = 0; index < y->elements; index++) {
        const double left = real_value(a, inputs[0], index);
        store(y, output, index, opened.op == ABS ? fabs(left) : left + real_value(b, inputs[1], index));
    }
}

/* --- frames --- */
static void put(const void *data, uint32_t size) {
    memcpy(answer + HEADER + answer_size, data, size);
    answer_size += size;
}

static void put_u32(uint32_t value) { put(&value, 4); }
static void put_pair(uint32_t first, uint32_t second) { put_u32(first | second << 16); } /* two u16 */
static void put_padding(void) { put("\0\0\0", (0U - answer_size) & 3U); }
static uint32_t data_bytes(const tensor *t) { return t->dtype == INT8 ? t->elements : 4 * t->elements; }
static void put_tensor_head(const tensor *t, uint32_t bytes) {
    const uint8_t head[4] = {t->dtype, t->rank, 0, 0};
    put(head, 4);
    put_u32(bytes);
    put(t->dims, 4U * t->rank);
}

static void answer_open(void) {
    uint32_t index;
    open_model();
    put_pair(opened.inputs, 1);
    put_u32(0);
    for (index = 0; index <= opened.inputs; index++) {
        put_tensor_head(&opened.tensors[index], 0);
    }
}

/* Check one tensor of a RUN against the model and return its data; `*at` moves behind it. */
static const uint8_t *take_input(const tensor *t, uint32_t *at) {
    const uint32_t head = 8U + 4U * t->rank, bytes = data_bytes(t), padded = (bytes + 3U) & ~3U;
    const uint8_t *data = request + *at;
    uint32_t said;
    if (request_size - *at < head || request_size - *at - head < padded) {
        fail(INVALID_INPUT, "an input is shorter than its tensor");
        return NULL;
    }
    memcpy(&said, data + 4, 4);
    if (data[0] != t->dtype || data[1] != t->rank || said != bytes || memcmp(data + 8, t->dims, 4U * t->rank) != 0) {
        fail(INVALID_INPUT, "an input has not the dtype and shape of its tensor");
        return NULL;
    }
    *at += head + padded;
    return data + head;
}

static void answer_run(void) {
    const uint8_t *inputs[2] = {NULL, NULL};
    const tensor *y = &opened.tensors[opened.inputs];
    uint32_t at = 4, index;
    if (opened.inputs == 0) {
        fail(INVALID_MODEL, "no model is open");
    } else if (request_size < 4 || load(0, 2) != opened.inputs) {
        fail(INVALID_INPUT, "a wrong number of inputs");
    }
    for (index = 0; failure.code == 0 && index < opened.inputs; index++) {
        inputs[index] = take_input(&opened.tensors[index], &at);
    }
    if (failure.code == 0 && at != request_size) {
        fail(INVALID_INPUT, "bytes behind the last input");
    }
    if (failure.code == 0) {
        put_pair(1, 0);
        put_tensor_head(y, data_bytes(y));
        invoke(inputs, answer + HEADER + answer_size);
        answer_size += data_bytes(y);
        put_padding();
    }
}

static void answer_hello(void) {
    put_pair(1, 0);
    put_u32(LARGEST);
    put_u32(0);
    put("\4\0tiny", 6);
}

static void answer_error(void) {
    const uint32_t size = (uint32_t)strlen(failure.text);
    answer_size = 0;
    put_pair(failure.code, size);
    put(failure.text, size);
    put_padding();
}

static uint32_t crc32(const uint8_t *data, uint32_t size) {
    uint32_t crc = 0xFFFFFFFFU, index;
    for (index = 0; index < size; index++) {
        int bit;
        crc ^= data[index];
        for (bit = 0; bit < 8; bit++) {
            crc = crc >> 1 ^ ((crc & 1U) != 0 ? 0xEDB88320U : 0U);
        }
    }
    return ~crc;
}

/* Write the frame around the payload that stands in `answer`. Returns 0 when nobody reads any more. */
static int send_answer(uint8_t kind, uint32_t sequence) {
    const uint32_t crc = crc32(answer + HEADER, answer_size);
    memcpy(answer, "OPC1\0\1\0\0", 8);
    answer[4] = kind;
    memcpy(answer + 8, &sequence, 4);
    memcpy(answer + 12, &answer_size, 4);
    memcpy(answer + 16, &crc, 4);
    return fwrite(answer, 1, HEADER + answer_size, stdout) == HEADER + answer_size && fflush(stdout) == 0;
}

static void answer_frame(uint8_t kind) {
    switch (kind) {
        case HELLO:
            answer_hello();
            break;
        case OPEN:
            answer_open();
            break;
        case RUN:
            answer_run();
            break;
        case CLOSE:
            opened.inputs = 0;
            break;
        case BYE:
            break;
        default:
            fail(BAD_FRAME, "unknown kind, allowed are 1 to 5");
    }
}

int main(void) {
    uint8_t header[HEADER];
    uint8_t kind = 0;
    while (kind != BYE && fread(header, 1, HEADER, stdin) == HEADER) {
        uint32_t sequence, crc;
        memcpy(&sequence, header + 8, 4);
        memcpy(&request_size, header + 12, 4);
        memcpy(&crc, header + 16, 4);
        if (memcmp(header, "OPC1", 4) != 0 || header[5] != 1 || request_size > LARGEST ||
            fread(request, 1, request_size, stdin) != request_size) {
            fputs("tiny_worker: this is no frame of wire version 1\n", stderr);
            return 1;
        }
        kind = header[4];
        failure.code = 0;
        answer_size = 0;
        if (crc32(request, request_size) != crc) {
            fail(BAD_FRAME, "the payload does not match its CRC");
        } else {
            answer_frame(kind);
        }
        if (failure.code != 0) {
            answer_error();
        }
        if (!send_answer(failure.code != 0 ? ERROR : (uint8_t)(kind | ANSWER), sequence)) {
            return 1;
        }
    }
    return 0;
}
