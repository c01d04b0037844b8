/* Functions of int16 by a table of 513 samples with linear interpolation between them. */
#ifndef OPCONFORM_KERNEL_TABLE_H
#define OPCONFORM_KERNEL_TABLE_H

#include "fixedpoint.h"
#include "kernel_util.h"

#define OPC_TABLE_ENTRIES 513U

/* What the table is of: input = low + i * step for entry i, output quanta = function(input) * per_unit. */
typedef struct opc_table_of {
    float (*function)(float); /* minus infinity stands for `least` */
    float low;
    float high; /* = low + 512 * step, rounded by itself */
    float step;
    float per_unit;
    float least; /* the output's least real value */
} opc_table_of;

/* Inputs and outputs quantized with these scales and zero points; all arithmetic in float32. */
opc_table_of opc_table_plan(float (*function)(float), float scale_x, int32_t zero_x, float scale_y, int32_t zero_y);
/* Entry i, 0 <= i <= 512: the sample, moved by half the error of interpolation in the middle to the next one. */
int16_t opc_table_entry(const opc_table_of *t, uint32_t i);
/* The function at `value`, interpolated between two neighbouring entries. The slope wraps at 16 bits. */
int16_t opc_table_between(int16_t left, int16_t right, int16_t value);
/* The entry left of `value`. */
static inline uint32_t opc_table_index(int16_t value) {
    return (uint32_t)(256 + (value >> 7));
}

/* An operator of one int16 input and output: a table that lives as long as the model, and its use. */
opc_status opc_table_prepare(opc_node *node, float (*function)(float));
opc_status opc_table_invoke(opc_node *node);

#endif
