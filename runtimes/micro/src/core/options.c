/* Fields of a node's builtin options; name and options of a custom one. */
#include <string.h>

#include "model.h"

static uint32_t options_of(const opc_node *node) {
    const uint32_t options = fb_table(node->it, node->table, OPERATOR_OPTIONS);
    return options != 0 ? options : fb_table(node->it, node->table, OPERATOR_OPTIONS_2);
}

static const uint8_t *option(const opc_node *node, uint32_t slot, uint32_t width) {
    const uint32_t options = options_of(node);
    const uint32_t at = options == 0 ? 0 : fb_field(node->it, options, slot, width);
    return at == 0 ? NULL : node->it->file + at;
}

int32_t opc_option_i32(const opc_node *node, uint32_t slot, int32_t fallback) {
    const uint8_t *p = option(node, slot, 4);
    return p == NULL ? fallback : (int32_t)fb_load32(p);
}

int64_t opc_option_i64(const opc_node *node, uint32_t slot, int64_t fallback) {
    const uint8_t *p = option(node, slot, 8);
    return p == NULL ? fallback : (int64_t)((uint64_t)fb_load32(p) | (uint64_t)fb_load32(p + 4) << 32);
}

uint8_t opc_option_u8(const opc_node *node, uint32_t slot, uint8_t fallback) {
    const uint8_t *p = option(node, slot, 1);
    return p == NULL ? fallback : *p;
}

float opc_option_f32(const opc_node *node, uint32_t slot, float fallback) {
    const uint8_t *p = option(node, slot, 4);
    if (p == NULL) {
        return fallback;
    }
    const uint32_t bits = fb_load32(p);
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static const uint32_t *option_vector(const opc_node *node, uint32_t slot, uint32_t log2_width, uint32_t *count) {
    const uint32_t options = options_of(node);
    const fb_vector v = options == 0 ? fb_empty : fb_list(node->it, options, slot, log2_width);
    *count = *v;
    return v == fb_empty ? NULL : v + 1;
}

const int32_t *opc_option_ints(const opc_node *node, uint32_t slot, uint32_t *count) {
    return (const int32_t *)option_vector(node, slot, FB_WORDS, count);
}

const char *opc_option_string(const opc_node *node, uint32_t slot, uint32_t *length) {
    return (const char *)option_vector(node, slot, FB_BYTES, length);
}

static const char *bytes_of(const opc_node *node, uint32_t table, uint32_t slot, uint32_t *length) {
    const fb_vector v = fb_list(node->it, table, slot, FB_BYTES);
    *length = *v;
    return (const char *)(v + 1);
}

const char *opc_custom_name(const opc_node *node, uint32_t *length) {
    const uint32_t code = fb_number(node->it, node->table, OPERATOR_OPCODE, 4);
    return bytes_of(node, fb_element(node->it, node->it->opcodes + 1 + code), OPCODE_CUSTOM, length);
}

const uint8_t *opc_custom_options(const opc_node *node, uint32_t *length) {
    return (const uint8_t *)bytes_of(node, node->table, OPERATOR_CUSTOM_OPTIONS, length);
}
