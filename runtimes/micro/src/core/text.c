/* Errors in words. Linked only where they are asked for. */
#include <string.h>

#include "model.h"

const char *opc_status_text(opc_status status) {
    switch (status) {
        case OPC_OK:
            return "ok";
        case OPC_UNSUPPORTED:
            return "unsupported";
        case OPC_INVALID_MODEL:
            return "invalid-model";
        case OPC_INVALID_INPUT:
            return "invalid-input";
        case OPC_NO_MEMORY:
            return "no-memory";
        case OPC_BUDGET:
            return "budget";
        case OPC_INTERNAL:
        default:
            return "internal";
    }
}

/* Append as much of `text` as fits before the terminator; returns the new length. */
static size_t append(char *buffer, size_t capacity, size_t length, const char *text) {
    while (*text != '\0' && length + 1 < capacity) {
        buffer[length++] = *text++;
    }
    return length;
}

static size_t append_number(char *buffer, size_t capacity, size_t length, int32_t number) {
    char digits[12];
    size_t at = sizeof digits - 1;
    digits[at] = '\0';
    uint32_t rest = number < 0 ? 0 : (uint32_t)number;
    do {
        digits[--at] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest != 0);
    return append(buffer, capacity, length, digits + at);
}

size_t opc_error_text(const opc_interpreter *it, char *buffer, size_t capacity) {
    if (capacity == 0) {
        return 0;
    }
    size_t length = 0;
    if (it->bad_node >= 0) {
        length = append(buffer, capacity, length, "node ");
        length = append_number(buffer, capacity, length, it->bad_node);
        if (it->bad_code >= 0) {
            length = append(buffer, capacity, length, ", builtin ");
            length = append_number(buffer, capacity, length, it->bad_code);
        }
        length = append(buffer, capacity, length, ": ");
    }
    length = append(buffer, capacity, length, it->why == NULL ? "no further detail" : it->why);
    buffer[length] = '\0';
    return length;
}
