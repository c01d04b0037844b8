/* The console of a machine with an operating system. */
#include <stdio.h>

#include "console.h"

void console_write(const char *text) {
    (void)fputs(text, stdout);
}
