/* The TFLite schema as field slots, and the interpreter's own records. Private to src/core. */
#ifndef OPCONFORM_MODEL_H
#define OPCONFORM_MODEL_H

#include "flatbuffer.h"
#include "opconform_kernel.h"

enum { MODEL_VERSION = 0, MODEL_OPCODES = 1, MODEL_SUBGRAPHS = 2, MODEL_BUFFERS = 4 };
enum { OPCODE_DEPRECATED = 0, OPCODE_BUILTIN = 3 };
enum { SUBGRAPH_TENSORS = 0, SUBGRAPH_INPUTS = 1, SUBGRAPH_OUTPUTS = 2, SUBGRAPH_OPERATORS = 3 };
enum {
    TENSOR_SHAPE = 0,
    TENSOR_TYPE = 1,
    TENSOR_BUFFER = 2,
    TENSOR_QUANTIZATION = 4,
    TENSOR_VARIABLE = 5,
    TENSOR_SPARSITY = 6
};
enum { QUANT_SCALE = 2, QUANT_ZERO_POINT = 3, QUANT_AXIS = 6 };
enum { OPERATOR_OPCODE = 0, OPERATOR_INPUTS = 1, OPERATOR_OUTPUTS = 2, OPERATOR_OPTIONS = 4, OPERATOR_OPTIONS_2 = 12 };
enum { BUFFER_DATA = 0, BUFFER_OFFSET = 1 };

/* Limits that bound the time to open a model. */
#define MAX_TENSORS 16384U
#define MAX_NODES 16384U
#define MAX_TENSOR_BYTES (UINT32_C(1) << 30)
#define MAX_DEPTH 4

/* One tensor at run time. */
typedef struct cell {
    void *data; /* NULL: nothing writes it; PLANNED until the planner has run; a resource record for resource tensors */
    int32_t *dims; /* rank, then dimensions, when they do not come from the file; else NULL */
} cell;

typedef struct node_state {
    const opc_op *op;
    void *data;    /* opc_alloc */
    void *scratch; /* size as an integer until the planner has run, then its address */
} node_state;

typedef struct graph {
    cell *cells;
    node_state *nodes;
    fb_vector tensors;
    fb_vector inputs;
    fb_vector outputs;
    fb_vector operators;
    uint8_t state; /* GRAPH_* */
} graph;

enum { GRAPH_UNUSED = 0, GRAPH_OPENING = 1, GRAPH_READY = 2 };
enum { PHASE_PREPARE = 0, PHASE_INVOKE = 1 };

typedef struct resource {
    struct resource *next;
    const char *container;
    const char *name;
    void *data;
    uint32_t container_length;
    uint32_t name_length;
    uint32_t bytes;
    uint8_t dtype;
    bool used;
} resource;

struct opc_node {
    opc_interpreter *it;
    graph *graph;
    node_state *state;
    uint32_t table;
    fb_vector inputs;
    fb_vector outputs;
    uint32_t index;
};

static inline fb_file file_of(const opc_interpreter *it) {
    const fb_file f = {it->file, it->file_bytes};
    return f;
}

/* What a slot points to while its address is not planned yet: any address that is no tensor's. */
static inline void *planned_mark(opc_interpreter *it) {
    return it;
}

/* The i-th element of a vector of int32, and of a vector of tables. */
static inline int32_t element(const fb_file *f, fb_vector v, uint32_t i) {
    return (int32_t)fb_word(f, v.at + 4 * i);
}
static inline uint32_t table_at(const fb_file *f, fb_vector v, uint32_t i) {
    return fb_follow(f, v.at + 4 * i);
}

/* verify.c: everything that does not need a kernel. */
opc_status verify_model(opc_interpreter *it);

/* tensors.c */
bool view_tensor(const opc_interpreter *it, const graph *g, int32_t index, opc_tensor *view);
/* Bytes of n elements, or 0 for types without a fixed size; n <= MAX_TENSOR_BYTES. */
uint32_t tensor_bytes(uint8_t dtype, uint32_t n);
/* The constant data of a tensor table; count = 0 when it has none. */
fb_vector constant_data(const opc_interpreter *it, uint32_t tensor);
uint32_t builtin_code(const opc_interpreter *it, uint32_t operator_table);
opc_node node_at(opc_interpreter *it, graph *g, uint32_t index);

/* arena.c */
void *arena_alloc(opc_interpreter *it, uint32_t bytes);
/* Without a node. */
opc_status fail(opc_interpreter *it, opc_status status, const char *why);
#ifdef OPC_NO_TEXT
#define FAIL(it, status, why) fail((it), (status), NULL)
#else
#define FAIL(it, status, why) fail((it), (status), (why))
#endif

/* graph.c */
opc_status open_graph(opc_interpreter *it, uint32_t g);
opc_status run_graph(opc_interpreter *it, graph *g);

/* plan.c: gives every tensor and scratch of an opened graph its address at or after it->head. */
opc_status plan_graph(opc_interpreter *it, graph *g);

#endif
