#include "flatbuffer.h"

/* Tables of the schema have at most 20 fields; the limit bounds the time to check one. */
#define MAX_VTABLE (4 + 2 * 64)

uint32_t fb_load32(const uint8_t *p) {
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

uint64_t fb_load64(const uint8_t *p) {
    return (uint64_t)fb_load32(p) | (uint64_t)fb_load32(p + 4) << 32;
}

/* at + width cannot wrap: width is far below 2^31 and size is at most 2^31 - 1. */
static bool inside(const fb_file *f, uint32_t at, uint32_t width) {
    return at <= f->size && width <= f->size - at;
}

uint32_t fb_word(const fb_file *f, uint32_t at) {
    return inside(f, at, 4) ? fb_load32(f->bytes + at) : 0;
}

uint32_t fb_follow(const fb_file *f, uint32_t at) {
    const uint32_t offset = fb_word(f, at);
    return offset != 0 && inside(f, at, 4) && inside(f, at + 4, 0) && offset <= f->size - at ? at + offset : FB_BROKEN;
}

static uint32_t load16(const uint8_t *p) {
    return (uint32_t)p[0] | (uint32_t)p[1] << 8;
}

fb_handle fb_resolve(const fb_file *f, uint32_t table) {
    fb_handle h = {table, FB_BROKEN, 0, 0};
    const uint32_t vtable = table - fb_word(f, table); /* modulo 2^32: the offset is signed */
    if (!inside(f, table, 4) || !inside(f, vtable, 4)) {
        return h;
    }
    h.fields = load16(f->bytes + vtable);
    h.size = load16(f->bytes + vtable + 2);
    const bool sound =
        h.fields >= 4 && h.fields <= MAX_VTABLE && inside(f, vtable, h.fields) && inside(f, table, h.size);
    h.vtable = sound ? vtable : FB_BROKEN;
    return h;
}

uint32_t fb_at(const fb_file *f, const fb_handle *h, uint32_t slot, uint32_t width) {
    if (h->vtable == FB_BROKEN) {
        return FB_BROKEN;
    }
    if (6 + 2 * slot > h->fields) {
        return FB_ABSENT;
    }
    const uint32_t offset = load16(f->bytes + h->vtable + 4 + 2 * slot);
    if (offset == 0) {
        return FB_ABSENT;
    }
    return offset >= 4 && offset + width <= h->size ? h->table + offset : FB_BROKEN;
}

uint32_t fb_field(const fb_file *f, uint32_t table, uint32_t slot, uint32_t width) {
    const fb_handle h = fb_resolve(f, table);
    return fb_at(f, &h, slot, width);
}

bool fb_table_ok(const fb_file *f, uint32_t table) {
    const fb_handle h = fb_resolve(f, table);
    bool good = h.vtable != FB_BROKEN;
    for (uint32_t slot = 0; good && 6 + 2 * slot <= h.fields; slot++) {
        good = fb_at(f, &h, slot, 1) != FB_BROKEN;
    }
    return good;
}

uint32_t fb_u8(const fb_file *f, uint32_t table, uint32_t slot, uint32_t fallback) {
    const uint32_t at = fb_field(f, table, slot, 1);
    return at == FB_ABSENT || at == FB_BROKEN ? fallback : f->bytes[at];
}

uint32_t fb_u32(const fb_file *f, uint32_t table, uint32_t slot, uint32_t fallback) {
    const uint32_t at = fb_field(f, table, slot, 4);
    return at == FB_ABSENT || at == FB_BROKEN ? fallback : fb_load32(f->bytes + at);
}

uint32_t fb_table(const fb_file *f, uint32_t table, uint32_t slot) {
    const uint32_t at = fb_field(f, table, slot, 4);
    return at == FB_ABSENT || at == FB_BROKEN ? at : fb_follow(f, at);
}

fb_vector fb_vec(const fb_file *f, uint32_t table, uint32_t slot, uint32_t width, uint32_t align) {
    const fb_handle h = fb_resolve(f, table);
    return fb_vec_at(f, fb_at(f, &h, slot, 4), width, align);
}

fb_vector fb_vec_at(const fb_file *f, uint32_t field, uint32_t width, uint32_t align) {
    fb_vector v = {field, 0};
    if (field == FB_ABSENT || field == FB_BROKEN) {
        return v;
    }
    v.at = fb_follow(f, field);
    if (v.at == FB_BROKEN || !inside(f, v.at, 4) || (v.at + 4) % align != 0) {
        v.at = FB_BROKEN;
        return v;
    }
    /* width is at most 8, so the product cannot wrap once the count is below the size of the file. */
    const uint32_t count = fb_load32(f->bytes + v.at);
    if (count > f->size || (uint64_t)count * width > f->size - v.at - 4) {
        v.at = FB_BROKEN;
        return v;
    }
    v.at += 4;
    v.count = count;
    return v;
}
