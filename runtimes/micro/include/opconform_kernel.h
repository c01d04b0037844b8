/* The interface between the micro interpreter and a kernel.
 *
 * A kernel is one file src/ops/<stem>.c that defines one descriptor named opc_<stem>, for example
 * add_int8.c defines `const opc_op opc_add_int8`. The table of an image is generated from the stems.
 *
 * A kernel never allocates, never keeps mutable globals and calls nothing but this header, src/core,
 * memcpy, memset, memmove and libm. The verifier has checked before prepare that the file is well formed:
 * indices are in range, constant data is as long as its shape says and aligned to its element, byte sizes
 * do not overflow. The kernel checks what only it knows: number of inputs, dtypes, shapes, quantization,
 * options (prepare) and values such as indices and axes (invoke, or prepare when the tensor is constant).
 */
#ifndef OPCONFORM_KERNEL_H
#define OPCONFORM_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "opconform_codes.h"
#include "opconform_micro.h"

#define OPC_MAX_RANK 8

/* Bit of a dtype in opc_op.types, e.g. OPC_BIT(OPC_INT8) | OPC_BIT(OPC_UINT8). */
#define OPC_BIT(dtype) (UINT32_C(1) << (dtype))
#define OPC_ANY_TYPE UINT32_C(0xFFFFFFFF)

typedef struct opc_node opc_node;

/* opc_op.key: which tensor's dtype selects among the descriptors of one builtin code. */
enum { OPC_KEY_INPUT0 = 0, OPC_KEY_INPUT1 = 1, OPC_KEY_INPUT2 = 2, OPC_KEY_OUTPUT0 = 254, OPC_KEY_NONE = 255 };

/* opc_op.flags */
enum {
    /* Output 0 may lie on top of input 0 (or 1) when that input is not needed afterwards and has as many bytes.
     * The kernel must then read an element before it writes the element at the same byte. */
    OPC_INPLACE_INPUT0 = 1,
    OPC_INPLACE_INPUT1 = 2,
    /* Every output i may lie on top of input i (WHILE). */
    OPC_INPLACE_PAIRS = 4,
    /* The kernel copes with inputs whose dimensions are only known at invoke: it reads dims there, and
     * calls opc_set_dims for its outputs both in prepare (upper bound) and in invoke (real). Without this flag
     * a node that reads such a tensor is refused as unsupported before prepare. */
    OPC_DYNAMIC_OK = 8,
    /* opc_reset zeroes the first uint32_t of opc_data: it tells whether the node has run. */
    OPC_STARTS_ANEW = 16
};

typedef struct opc_op {
    uint16_t code;  /* OPC_CODE_*, see opconform_codes.h */
    uint8_t key;    /* OPC_KEY_* */
    uint8_t flags;  /* OPC_* above, or-ed */
    uint32_t types; /* dtypes of the key tensor that this descriptor takes, OPC_BIT or-ed */
    /* Runs once per node when the model is opened: validates, computes what is worth keeping, asks for memory. */
    opc_status (*prepare)(opc_node *node);
    opc_status (*invoke)(opc_node *node);
} opc_op;

/* A view of one tensor; cheap to get, lives on the kernel's stack. */
typedef struct opc_tensor {
    void *data;            /* prepare: NULL unless constant. invoke: never NULL, aligned to the element */
    const int32_t *dims;   /* `rank` entries; product = elements */
    const uint8_t *scales; /* in the file, unaligned: read with opc_scale() */
    const uint8_t *zeros;  /* in the file, unaligned: read with opc_zero_point() */
    uint32_t scale_count;  /* 0: not quantized; 1: per tensor; else per channel along `axis` */
    uint32_t zero_count;
    uint32_t elements; /* product of dims, 1 for rank 0 */
    uint32_t bytes;    /* of data; int4 is packed two to a byte */
    int32_t axis;      /* quantized_dimension */
    uint8_t dtype;     /* OPC_FLOAT32 ... */
    uint8_t rank;      /* 0 ... OPC_MAX_RANK */
    uint8_t flags;     /* OPC_CONSTANT ... */
} opc_tensor;

enum {
    OPC_CONSTANT = 1, /* data lies in the file (or in a read-only copy of it) */
    OPC_VARIABLE = 2, /* state: zero at open, kept between invocations, may be written though it is an input */
    OPC_DYNAMIC = 4   /* dims are an upper bound in prepare, real in invoke */
};

/* Typed access to data, so that casts stand in one place. */
static inline const float *opc_f32(const opc_tensor *t) {
    return (const float *)t->data;
}
static inline const int8_t *opc_i8(const opc_tensor *t) {
    return (const int8_t *)t->data;
}
static inline const uint8_t *opc_u8(const opc_tensor *t) {
    return (const uint8_t *)t->data;
}
static inline const int16_t *opc_i16(const opc_tensor *t) {
    return (const int16_t *)t->data;
}
static inline const int32_t *opc_i32(const opc_tensor *t) {
    return (const int32_t *)t->data;
}
static inline const int64_t *opc_i64(const opc_tensor *t) {
    return (const int64_t *)t->data;
}

/* --- tensors of a node ------------------------------------------------------------------------------- */

uint32_t opc_input_count(const opc_node *node);
uint32_t opc_output_count(const opc_node *node);

/* Fill *view; false when the slot is absent (index -1) or beyond the count. *view is zeroed then. */
bool opc_input(const opc_node *node, uint32_t i, opc_tensor *view);
bool opc_output(const opc_node *node, uint32_t i, opc_tensor *view);

/* invoke: only where the data is, for kernels that keep all else in opc_data; NULL when the slot is absent. */
void *opc_input_data(const opc_node *node, uint32_t i);
void *opc_output_data(const opc_node *node, uint32_t i);

/* Scale of channel c; a per-tensor scale for every c. 0.0f when the tensor is not quantized. */
float opc_scale(const opc_tensor *t, uint32_t c);
/* Is there a scale of channel c, and is it above 0? (The verifier refuses negative, infinite and NaN scales.) Without
 * floats. */
bool opc_has_scale(const opc_tensor *t, uint32_t c);
/* Zero point of channel c, saturated to int32; 0 when the tensor has none. */
int32_t opc_zero_point(const opc_tensor *t, uint32_t c);
/* Exactly one scale, finite and > 0, and a zero point inside the range of the dtype (int8, uint8, int16, int32). */
bool opc_is_quantized(const opc_tensor *t);

bool opc_same_shape(const opc_tensor *a, const opc_tensor *b);
/* Bytes of one element; 0 for packed (int4), string and unknown types. */
uint32_t opc_dtype_bytes(uint8_t dtype);

/* --- options ----------------------------------------------------------------------------------------- */

/* Field `slot` of builtin_options (0 = first field of the options table in the schema), or `fallback` when
 * the table or the field is absent. Enums and bools are one byte: use opc_option_u8. */
int32_t opc_option_i32(const opc_node *node, uint32_t slot, int32_t fallback);
int64_t opc_option_i64(const opc_node *node, uint32_t slot, int64_t fallback);
uint8_t opc_option_u8(const opc_node *node, uint32_t slot, uint8_t fallback);
float opc_option_f32(const opc_node *node, uint32_t slot, float fallback);
/* Vector of int32 (4-aligned, in the file); *count = 0 and NULL when absent. */
const int32_t *opc_option_ints(const opc_node *node, uint32_t slot, uint32_t *count);
/* Bytes of a string or of a byte vector; *length = 0 and NULL when absent. Not terminated for the caller. */
const char *opc_option_string(const opc_node *node, uint32_t slot, uint32_t *length);

/* A CUSTOM operator: its name (not terminated) and its options; *length = 0 when absent. Valid in prepare and invoke.
 */
const char *opc_custom_name(const opc_node *node, uint32_t *length);
const uint8_t *opc_custom_options(const opc_node *node, uint32_t *length);

/* --- memory ------------------------------------------------------------------------------------------ */

/* prepare, at most once a node: memory that lives as long as the model, 8-aligned, zeroed; opc_data() returns it in
 * invoke. NULL: the arena is too small; return OPC_NO_MEMORY. Keep it small: a multiplier and a shift, not a table per
 * channel unless recomputing costs more than the kernel itself. */
void *opc_alloc(opc_node *node, uint32_t bytes);
void *opc_data(const opc_node *node);
/* prepare, at most once a node: ask for memory that is only needed during invoke of this node, 8-aligned, contents
 * undefined. */
void opc_scratch(opc_node *node, uint32_t bytes);
void *opc_scratch_data(const opc_node *node);

/* Dimensions of output i that do not come from the file. In prepare: the upper bound (the output becomes OPC_DYNAMIC;
 * memory is planned for it). In invoke: the real ones, rank and product at most those of prepare.
 * Fails with OPC_NO_MEMORY, or OPC_INTERNAL when the bound is exceeded. */
opc_status opc_set_dims(opc_node *node, uint32_t i, uint32_t rank, const int32_t *dims);

/* --- resource variables ------------------------------------------------------------------------------ */

/* prepare of VAR_HANDLE: name the resource that output 0 stands for. Strings point into the file. */
opc_status opc_bind_resource(opc_node *node, const char *container, uint32_t container_length, const char *name,
                             uint32_t name_length);
/* prepare of READ_VARIABLE and ASSIGN_VARIABLE: the resource behind input 0 holds `bytes` bytes of `dtype`.
 * OPC_INVALID_MODEL when input 0 is no resource, OPC_UNSUPPORTED when two nodes disagree about size or dtype. */
opc_status opc_use_resource(opc_node *node, uint8_t dtype, uint32_t bytes);
/* invoke: its memory, zero at open, 8-aligned. */
void *opc_resource_data(const opc_node *node);

/* --- subgraphs (WHILE, IF, CALL_ONCE) ---------------------------------------------------------------- */

/* prepare: prepares subgraph g. OPC_INVALID_MODEL when g does not exist or calls itself; OPC_UNSUPPORTED when nested
 * too deep. */
opc_status opc_use_subgraph(opc_node *node, int32_t g);
/* Valid after opc_use_subgraph. */
uint32_t opc_subgraph_input_count(const opc_node *node, int32_t g);
uint32_t opc_subgraph_output_count(const opc_node *node, int32_t g);
bool opc_subgraph_input(const opc_node *node, int32_t g, uint32_t i, opc_tensor *view);
bool opc_subgraph_output(const opc_node *node, int32_t g, uint32_t i, opc_tensor *view);
/* invoke: runs it; returns its error, or OPC_BUDGET when the invocation has run too many nodes. */
opc_status opc_invoke_subgraph(opc_node *node, int32_t g);

/* --- errors ------------------------------------------------------------------------------------------ */

/* Remember why and return the status: `return OPC_FAIL(node, OPC_INVALID_MODEL, "axis out of range");`
 * The text is one short lower-case clause without the op's name (the interpreter adds node and code).
 * A build with OPC_NO_TEXT keeps only the status. Status by cause:
 *   OPC_UNSUPPORTED   legal, but this kernel does not do it (dtype, rank, option)
 *   OPC_INVALID_MODEL breaks the op's rules (shapes, quantization, options, constant values)
 *   OPC_INVALID_INPUT a value of a tensor that is only known at invoke breaks them (index out of range)
 *   OPC_NO_MEMORY     opc_alloc returned NULL */
opc_status opc_fail(opc_node *node, opc_status status, const char *why);
#ifdef OPC_NO_TEXT
#define OPC_FAIL(node, status, why) opc_fail((node), (status), NULL)
#else
#define OPC_FAIL(node, status, why) opc_fail((node), (status), (why))
#endif

#endif
