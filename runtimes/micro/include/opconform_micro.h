/* opconform micro: a TensorFlow Lite interpreter for machines without an operating system.
 *
 * The model is read in place, so it may lie in flash; the caller gives one arena. Nothing is allocated,
 * nothing is printed, and no mutable global exists: several interpreters can run side by side.
 *
 *     static uint8_t arena[4096] __attribute__((aligned(16)));
 *     opc_interpreter it;
 *     opc_status s = opc_open(&it, model, model_bytes, arena, sizeof arena, &opc_registry_all);
 *     opc_model_input(&it, 0, &in);  memcpy(in.data, samples, in.bytes);
 *     s = opc_invoke(&it);
 *     opc_model_output(&it, 0, &out);
 */
#ifndef OPCONFORM_MICRO_H
#define OPCONFORM_MICRO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The values are the error codes of the wire (docs/wire.md). */
typedef enum opc_status {
    OPC_OK = 0,
    OPC_UNSUPPORTED = 1,
    OPC_INVALID_MODEL = 2,
    OPC_INVALID_INPUT = 3,
    OPC_NO_MEMORY = 4,
    OPC_INTERNAL = 5,
    OPC_BUDGET = 7
} opc_status;

/* TensorType of the TFLite schema. */
enum {
    OPC_FLOAT32 = 0,
    OPC_FLOAT16 = 1,
    OPC_INT32 = 2,
    OPC_UINT8 = 3,
    OPC_INT64 = 4,
    OPC_STRING = 5,
    OPC_BOOL = 6,
    OPC_INT16 = 7,
    OPC_COMPLEX64 = 8,
    OPC_INT8 = 9,
    OPC_FLOAT64 = 10,
    OPC_COMPLEX128 = 11,
    OPC_UINT64 = 12,
    OPC_RESOURCE = 13,
    OPC_VARIANT = 14,
    OPC_UINT32 = 15,
    OPC_UINT16 = 16,
    OPC_INT4 = 17,
    OPC_BFLOAT16 = 18
};

struct opc_op;
struct opc_tensor;

/* The kernels that an image holds: what is not listed here is not linked. */
typedef struct opc_registry {
    const struct opc_op *const *ops;
    uint32_t count;
} opc_registry;

/* One interpreter. The fields are private. */
typedef struct opc_interpreter {
    const uint8_t *file;
    uint8_t *arena;
    const opc_registry *registry;
    void *graphs;            /* one record a subgraph */
    void *resources;         /* list of resource variables */
    const uint32_t *opcodes; /* in the file: a count, then offsets */
    const char *why;         /* text of a kernel's last error, or NULL */
    uint32_t file_bytes;
    uint32_t arena_bytes;
    uint32_t head;   /* arena bytes from the start: planned tensors */
    uint32_t tail;   /* arena offset where persistent memory begins; it grows downwards */
    uint32_t peak;   /* most bytes in use while opening; 0: it never came to a plan */
    uint32_t budget; /* nodes that one invocation may run; 0: no limit */
    uint32_t spent;  /* what is left of a limit */
    uint32_t graph_count;
    int32_t bad_node; /* where the last error happened, -1: not in a node */
    int32_t bad_code;
    uint8_t reason; /* of the core's last error */
    uint8_t damaged;
    uint8_t depth;
} opc_interpreter;

/* Verify `model` and prepare it for running in `arena`. Both must stay valid and unmoved as long as `it` is used;
 * the model must be 16-aligned, the arena 16-aligned. On error `it` holds only the text of the error.
 * OPC_INVALID_MODEL, OPC_UNSUPPORTED, OPC_NO_MEMORY. */
opc_status opc_open(opc_interpreter *it, const void *model, size_t model_bytes, void *arena, size_t arena_bytes,
                    const opc_registry *registry);

/* Bytes of the arena that the open model needs, while opening and while running. After OPC_NO_MEMORY of opc_open:
 * what a large enough arena must have, or 0 when opc_open did not get far enough to know. */
uint32_t opc_arena_used(const opc_interpreter *it);

/* The same without that arena: `work` (16-aligned) only has to hold the interpreter's records, a few kilobytes, and not
 * the tensors; no kernel runs. OPC_NO_MEMORY: more work space is needed to tell; other errors are those of opc_open. */
opc_status opc_arena_needed(const void *model, size_t model_bytes, void *work, size_t work_bytes,
                            const opc_registry *registry, uint32_t *bytes);

uint32_t opc_model_input_count(const opc_interpreter *it);
uint32_t opc_model_output_count(const opc_interpreter *it);

/* View of an input or output: dtype, dims, bytes and data to write or read. Inputs must be written before every
 * invocation, since their memory may be used for other tensors during it. False when i is too large. */
bool opc_model_input(const opc_interpreter *it, uint32_t i, struct opc_tensor *view);
bool opc_model_output(const opc_interpreter *it, uint32_t i, struct opc_tensor *view);

/* Run the model once. OPC_INVALID_INPUT for values that an op refuses, OPC_BUDGET after too many nodes. */
opc_status opc_invoke(opc_interpreter *it);

/* Back to the state after opc_open: variable tensors and resource variables are zero, initializations run again. */
void opc_reset(opc_interpreter *it);

/* Bound the nodes that one invocation may run, so that an endless WHILE ends; 0: no limit. */
void opc_set_budget(opc_interpreter *it, uint32_t nodes);

/* Name of a status, e.g. "invalid-model". */
const char *opc_status_text(opc_status status);

/* One line about the last error in `buffer` (always terminated when capacity > 0); returns its length.
 * For example "node 3, builtin 0: shapes do not broadcast". */
size_t opc_error_text(const opc_interpreter *it, char *buffer, size_t capacity);

#endif
