/* Logistic function and tanh of 16 bits, interpolated in the table of kernel_squash.h. */
#ifndef OPCONFORM_KERNEL_CURVE_H
#define OPCONFORM_KERNEL_CURVE_H

#include <stdint.h>

/* Of place / 12288, in Q0.15; |place| < 2^31. */
int16_t opc_curve_logistic(int32_t place);
int16_t opc_curve_tanh(int32_t place);

#endif
