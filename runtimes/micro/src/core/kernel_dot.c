#include "kernel_dot.h"

int64_t opc_dot_s16(const int16_t *x, const int8_t *w, uint32_t n) {
    int64_t total = 0;
    while (n != 0) {
        const uint32_t block = n < 256U ? n : 256U;
        int32_t sum = 0; /* |sum| <= 2^8 * 2^22 */
        for (uint32_t i = 0; i < block; i++) {
            sum += x[i] * w[i];
        }
        total += sum;
        x += block;
        w += block;
        n -= block;
    }
    return total;
}
