/* The TFLite schema as field slots, and the interpreter's own records. Private to src/core and the worker's watch. */
#ifndef OPCONFORM_MODEL_H
#define OPCONFORM_MODEL_H

#include "flatbuffer.h"
#include "opconform_kernel.h"

enum { MODEL_VERSION = 0, MODEL_OPCODES = 1, MODEL_SUBGRAPHS = 2, MODEL_BUFFERS = 4 };
enum { OPCODE_DEPRECATED = 0, OPCODE_CUSTOM = 1, OPCODE_BUILTIN = 3 };
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
enum {
    OPERATOR_OPCODE = 0,
    OPERATOR_INPUTS = 1,
    OPERATOR_OUTPUTS = 2,
    OPERATOR_OPTIONS = 4,
    OPERATOR_CUSTOM_OPTIONS = 5,
    OPERATOR_OPTIONS_2 = 12
};
enum { BUFFER_DATA = 0, BUFFER_OFFSET = 1 };

/* Limits that bound the time to open a model and keep sizes within 32 bits: 2^26 elements of at most 8 bytes. */
#define MAX_TENSORS 16384U
#define MAX_NODES 16384U
#define MAX_ELEMENTS (UINT32_C(1) << 26)
#define MAX_TENSOR_BYTES (UINT32_C(1) << 30)
#define MAX_DEPTH 4

/* Flag of a cell beyond those of a view: the caller or a node writes it, so the planner gives it an address. */
enum { CELL_WRITTEN = 16 };

/* One tensor: all that a view of it needs, so that views are cheap while running. */
typedef struct cell {
    void *data; /* what views show. Of a resource tensor: the resource */
    /* In the file, or set by a kernel: then the elements that memory was planned for follow at [OPC_MAX_RANK]. */
    const int32_t *dims;
    fb_vector scales;
    fb_vector zeros; /* its elements have 8 bytes */
    uint32_t elements;
    uint8_t dtype;
    uint8_t rank;
    int8_t axis;
    uint8_t flags;
} cell;

struct opc_node {
    opc_interpreter *it;
    cell *cells; /* of its graph */
    const opc_op *op;
    void *data;        /* opc_alloc */
    uintptr_t scratch; /* its size; then the planner's; then its address */
    uint32_t table;    /* position of the operator */
    fb_vector inputs;  /* int32 */
    fb_vector outputs;
};

typedef struct graph {
    cell *cells;
    opc_node *nodes;
    fb_vector inputs;
    fb_vector outputs;
    uint32_t cell_count;
    uint32_t node_count;
    uint8_t state; /* GRAPH_* */
} graph;

enum { GRAPH_UNUSED = 0, GRAPH_OPENING = 1, GRAPH_READY = 2 };

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

/* Why the core itself refuses: texts stand in text.c in this order, so that an image which never asks for them does
 * not hold them. The first ones are of models that are invalid, those from WHY_UNSUPPORTED on of models that are
 * unsupported, those from WHY_MEMORY on of too small an arena. */
enum {
    WHY_NONE,
    WHY_IDENTIFIER,
    WHY_MODEL,
    WHY_VERSION,
    WHY_NO_SUBGRAPH,
    WHY_SUBGRAPH,
    WHY_TENSOR,
    WHY_OPERATOR,
    WHY_OPTIONS,
    WHY_SHARED,
    WHY_DIMENSION,
    WHY_BUFFER_INDEX,
    WHY_BUFFER_SHORT,
    WHY_VARIABLE_DATA,
    WHY_SCALE,
    WHY_ZERO_POINTS,
    WHY_AXIS,
    WHY_INDEX,
    WHY_OPCODE,
    WHY_WRITERS,
    WHY_NOT_WRITTEN,
    WHY_OUTPUT_NOT_WRITTEN,
    WHY_UNSUPPORTED,
    WHY_OUTSIDE = WHY_UNSUPPORTED,
    WHY_RANK,
    WHY_TYPE,
    WHY_SPARSE,
    WHY_MANY,
    WHY_LARGE,
    WHY_SIZELESS,
    WHY_NO_KERNEL,
    WHY_NO_KERNEL_TYPE,
    WHY_DYNAMIC,
    WHY_MEMORY,
    WHY_ALIGNED = WHY_MEMORY + 1,
    WHY_BUDGET
};

/* The i-th element of a vector of int32. */
static inline int32_t index_at(fb_vector v, uint32_t i) {
    return (int32_t)v[1 + i];
}

/* Half bytes of an element by dtype; 0 for types without a fixed size. The verifier has refused larger dtypes. */
extern const uint8_t dtype_half_bytes[OPC_BFLOAT16 + 1];

static inline uint32_t cell_bytes(const cell *c) {
    /* elements <= 2^26 */
    return (c->elements * dtype_half_bytes[c->dtype] + 1) >> 1;
}

/* verify.c: everything that does not need a kernel; makes the records of all graphs. */
opc_status parse_model(opc_interpreter *it);
/* Product of the dimensions, or UINT32_MAX when one is negative or the elements are too many. */
uint32_t elements_of(uint32_t rank, const int32_t *dims);

/* tensors.c */
/* The cell that element i of a vector of indices names; NULL when absent. */
cell *cell_of(cell *cells, fb_vector v, uint32_t i);
/* A view of it; false, and zeros, when absent. */
bool view_of(cell *cells, fb_vector v, uint32_t i, opc_tensor *view);

/* arena.c */
void *arena_alloc(opc_interpreter *it, uint32_t bytes);
/* The reason is remembered; gives its status. */
opc_status fail(opc_interpreter *it, uint32_t why);

/* graph.c */
opc_status open_graph(opc_interpreter *it, graph *g);
opc_status run_graph(opc_interpreter *it, const graph *g);

/* plan.c: gives every tensor and scratch of an opened graph its address at or after it->head. */
opc_status plan_graph(opc_interpreter *it, const graph *g);

#endif
