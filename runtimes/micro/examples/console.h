/* What the examples ask of a machine: host.c for this one, board/ for a Cortex-M board. */
#ifndef CONSOLE_H
#define CONSOLE_H

/* Show a text that ends with a zero. */
void console_write(const char *text);

/* Show a whole number. */
void console_write_number(int value);

/* Show a number in thousandths, for example 1234 as "1.234". */
void console_write_thousandths(int value);

#endif
