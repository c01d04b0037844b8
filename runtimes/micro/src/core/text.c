/* Errors in words. Linked only where they are asked for. */
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

/* In the order of WHY_* in model.h. */
static const char reasons[] = "no further detail\0"
                              "no TFL3 identifier\0"
                              "damaged model table\0"
                              "schema version is not 3\0"
                              "no subgraph, or more than 16384\0"
                              "damaged subgraph\0"
                              "damaged tensor\0"
                              "damaged operator\0"
                              "damaged options or operator code\0"
                              "more parts than a file of this size can hold: they are shared\0"
                              "negative or huge dimension\0"
                              "buffer index out of range\0"
                              "buffer shorter than its tensor\0"
                              "variable tensor with constant data\0"
                              "a scale is negative or not finite\0"
                              "scales and zero points differ in number\0"
                              "scales do not fit the quantized dimension\0"
                              "tensor index out of range\0"
                              "operator code index out of range\0"
                              "tensor with two writers, or a constant that is written\0"
                              "input that nothing has written\0"
                              "output that nothing writes\0"
                              "buffer data behind the flatbuffer\0"
                              "rank above 8\0"
                              "unknown type\0"
                              "sparse tensor\0"
                              "more than 16384 tensors or operators in a subgraph\0"
                              "model above 2 GiB\0"
                              "tensor of a type without a fixed size\0"
                              "no kernel for this operator\0"
                              "no kernel for this type\0"
                              "input whose shape depends on data\0"
                              "arena too small\0"
                              "model or arena is not 16-aligned\0"
                              "more nodes than the budget allows";

static const char *reason_text(uint32_t number) {
    const char *text = reasons;
    for (; number != 0; text++) {
        number -= *text == '\0' ? 1U : 0U;
    }
    return text;
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
    length = append(buffer, capacity, length, it->why == NULL ? reason_text(it->reason) : it->why);
    buffer[length] = '\0';
    return length;
}
