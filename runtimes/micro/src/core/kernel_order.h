/* Searching extremes: one walk serves all dtypes. */
#ifndef OPCONFORM_KERNEL_ORDER_H
#define OPCONFORM_KERNEL_ORDER_H

#include "kernel_util.h"

/* Where the largest (smallest) element lies, the first of equal ones: `best`, where the search stands already, or one
 * of `run` elements, `step` apart, from position `at` on. Nothing is above or below a NaN. */
typedef uint32_t opc_finder(const opc_tensor *t, bool largest, uint32_t best, uint32_t at, uint32_t run, uint32_t step);

opc_finder opc_find_float;
/* int8, uint8, bool, int16, int32, int64 */
opc_finder opc_find_whole;

/* ARG_MAX and ARG_MIN: the first of equal elements along one axis; int32 or int64 as output_type says. */
opc_status opc_arg_prepare(opc_node *node);
opc_status opc_arg_extreme(opc_node *node, opc_finder *find, bool largest);

#endif
