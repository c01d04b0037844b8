/* Inner products of the integer convolutions, the loops where nearly all time is spent. */
#ifndef OPCONFORM_KERNEL_DOT_H
#define OPCONFORM_KERNEL_DOT_H

#include <stdint.h>

/* acc[k] += sum of (x[i] + offset) * w[k][i] for two rows of weights at once, so that an input is loaded once for both.
 * Modulo 2^32; |x + offset| <= 255 and |w| <= 128 keep 2^16 terms in range. */
void opc_dot2_s8(const int8_t *x, const int8_t *w0, const int8_t *w1, uint32_t n, int32_t offset, int32_t *acc);
/* Sum of x[i] * w[i]; |x * w| <= 2^22, so n <= 2^9 fits 32 bits, more is added up in 64. */
int64_t opc_dot_s16(const int16_t *x, const int8_t *w, uint32_t n);

#endif
