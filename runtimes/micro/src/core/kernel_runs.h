/* Elementwise operators of two broadcast inputs, run by run, and the clamp that some of them end with. */
#ifndef OPCONFORM_KERNEL_RUNS_H
#define OPCONFORM_KERNEL_RUNS_H

#include "binary.h"
#include "kernel_util.h"

/* The longest stretch of the output along which both inputs step evenly: `count` elements. */
typedef struct opc_run {
    void *y;
    const void *a;
    const void *b;
    const void *context;
    uint32_t count;
    uint32_t step_a; /* elements: 1, or 0 where the input is broadcast */
    uint32_t step_b;
} opc_run;

typedef void (*opc_run_function)(const opc_run *run);

/* Calls f for every run of the output. Inputs may have another element size than the output. */
void opc_for_runs(const opc_binary *t, opc_run_function f, const void *context);

/* Defines `static void name(const opc_run *run)`: element by element, y = expression of a and b. */
#define OPC_RUN(name, in_type, out_type, expression)                                                                   \
    static void name(const opc_run *run) {                                                                             \
        const in_type *a_at = run->a;                                                                                  \
        const in_type *b_at = run->b;                                                                                  \
        out_type *y = run->y;                                                                                          \
        for (uint32_t i = 0; i < run->count; i++, a_at += run->step_a, b_at += run->step_b) {                          \
            const in_type a = *a_at;                                                                                   \
            const in_type b = *b_at;                                                                                   \
            y[i] = (out_type)(expression);                                                                             \
        }                                                                                                              \
    }

/* prepare of an operator whose inputs and output have one dtype and no quantization. */
opc_status opc_pair_prepare(opc_node *node);
/* invoke: f for every run. */
opc_status opc_pair(opc_node *node, opc_run_function f);
/* OPC_INVALID_INPUT when the second input, integers, has a 0. */
opc_status opc_refuse_zero(opc_node *node);
/* invoke of a division of int8, int16 or int32: f element by element, with b != 0. */
opc_status opc_pair_divide_int(opc_node *node, int32_t (*f)(int32_t a, int32_t b));

/* As opc_pair for operators whose option 0 is a fused activation: OPC_UNSUPPORTED for TANH and SIGN_BIT. */
opc_status opc_active_pair_prepare(opc_node *node);
opc_status opc_active_pair(opc_node *node, opc_run_function f);

/* Has no tensor of the node a scale? */
bool opc_pair_is_plain(const opc_node *node);

/* The fused activation of stored values: plain integers, or floats where NaN passes. activation <= OPC_ACT_RELU6. */
void opc_clamp_stored(const opc_tensor *y, uint8_t activation);

/* How two stored values compare, as a bit. */
enum { OPC_LESS = 1, OPC_EQUAL = 2, OPC_GREATER = 4, OPC_UNORDERED = 8 };
typedef uint32_t (*opc_order)(const void *a, const void *b);
/* float32, bool, uint8, int8, int16, int32, int64. Floats are compared as integers: small without an FPU. */
opc_order opc_order_of(uint8_t dtype);
uint32_t opc_order_int32(int32_t a, int32_t b);

#endif
