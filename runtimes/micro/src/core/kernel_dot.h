/* Inner products of the integer convolutions, the loops where nearly all time is spent. */
#ifndef OPCONFORM_KERNEL_DOT_H
#define OPCONFORM_KERNEL_DOT_H

#include <stdint.h>

/* Sum of x[i] * w[i]; |x * w| <= 2^22, so blocks of 2^8 fit 32 bits, and these are added up in 64. */
int64_t opc_dot_s16(const int16_t *x, const int8_t *w, uint32_t n);

#endif
