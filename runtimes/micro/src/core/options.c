/* Fields of a node's builtin options. */
#include <string.h>

#include "model.h"

static uint32_t options_of(const opc_node *node, fb_file *f) {
    *f = file_of(node->it);
    const uint32_t options = fb_table(f, node->table, OPERATOR_OPTIONS);
    return options != FB_ABSENT ? options : fb_table(f, node->table, OPERATOR_OPTIONS_2);
}

static const uint8_t *option(const opc_node *node, uint32_t slot, uint32_t width) {
    fb_file f;
    const uint32_t options = options_of(node, &f);
    const uint32_t at = options == FB_ABSENT ? FB_ABSENT : fb_field(&f, options, slot, width);
    return at == FB_ABSENT || at == FB_BROKEN ? NULL : f.bytes + at;
}

int32_t opc_option_i32(const opc_node *node, uint32_t slot, int32_t fallback) {
    const uint8_t *p = option(node, slot, 4);
    return p == NULL ? fallback : (int32_t)fb_load32(p);
}

int64_t opc_option_i64(const opc_node *node, uint32_t slot, int64_t fallback) {
    const uint8_t *p = option(node, slot, 8);
    return p == NULL ? fallback : (int64_t)fb_load64(p);
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

static const uint8_t *option_vector(const opc_node *node, uint32_t slot, uint32_t width, uint32_t *count) {
    fb_file f;
    const uint32_t options = options_of(node, &f);
    const fb_vector none = {FB_ABSENT, 0};
    const fb_vector v = options == FB_ABSENT ? none : fb_vec(&f, options, slot, width, width);
    *count = v.count;
    return v.at == FB_ABSENT || v.at == FB_BROKEN ? NULL : f.bytes + v.at;
}

const int32_t *opc_option_ints(const opc_node *node, uint32_t slot, uint32_t *count) {
    return (const int32_t *)(const void *)option_vector(node, slot, 4, count);
}

const char *opc_option_string(const opc_node *node, uint32_t slot, uint32_t *length) {
    return (const char *)option_vector(node, slot, 1, length);
}
