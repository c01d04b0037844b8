/* Numbers as text without printf, which would cost more flash than the whole interpreter. */
#include "console.h"

/* `point` digits stand behind the point; 0: none. */
static void write_number(int value, int point) {
    char text[16]; /* a sign, at most 10 digits, a point, a zero */
    char *at = text + sizeof text - 1;
    unsigned left = value < 0 ? 0U - (unsigned)value : (unsigned)value;
    int digits = 0;
    *at = '\0';
    do {
        if (digits != 0 && digits == point) {
            *--at = '.';
        }
        *--at = (char)('0' + left % 10U);
        left /= 10U;
        digits++;
    } while (digits <= point || left != 0);
    if (value < 0) {
        *--at = '-';
    }
    console_write(at);
}

void console_write_number(int value) {
    write_number(value, 0);
}

void console_write_thousandths(int value) {
    write_number(value, 3);
}
