/* Inner products of the integer convolutions, the loops where nearly all time is spent. */
#ifndef OPCONFORM_KERNEL_DOT_H
#define OPCONFORM_KERNEL_DOT_H

#include <stdint.h>

/* Two positions of the input against two rows of weights at once, so that every value loaded is used twice:
 * acc[0] += x0 . w0, acc[1] += x0 . w1, acc[2] += x1 . w0, acc[3] += x1 . w1, modulo 2^32; |x * w| <= 2^14. n > 0. */
void opc_dot22_s8(const int8_t *x0, const int8_t *x1, const int8_t *w0, const int8_t *w1, uint32_t n, int32_t *acc);
/* Sum of w[i], modulo 2^32. */
int32_t opc_sum_s8(const int8_t *w, uint32_t n);
/* Sum of x[i] * w[i]; |x * w| <= 2^22, so blocks of 2^8 fit 32 bits, and these are added up in 64. */
int64_t opc_dot_s16(const int16_t *x, const int8_t *w, uint32_t n);

#endif
