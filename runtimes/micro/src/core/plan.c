/* The memory plan of one subgraph: greedy by size over lifetimes, after the tensors that may share memory were joined.
 * Time 0 is the caller's, node i runs at i + 1, the results are read at nodes + 1. */
#include "model.h"

#define NONE 0xFFFFU

/* The memory of a tensor, of several that share it, or of the scratch of a node. Entries grow down from the end of the
 * free arena, where nothing lives yet. */
typedef struct entry {
    uint32_t bytes;
    uint32_t offset; /* UNPLACED until placed */
    uint16_t first;
    uint16_t last;
    uint16_t next; /* placed entries in the order of their offsets */
} entry;

enum { LAST_SHIFT = 16 };
#define UNPLACED UINT32_MAX

typedef struct plan {
    opc_interpreter *it;
    entry *top; /* entry k is top[-1 - k] */
    uint32_t count;
    uint32_t high; /* bytes in use */
    uint16_t head; /* first placed entry */
} plan;

static entry *entry_at(const plan *p, uint32_t k) {
    return p->top - 1 - k;
}

/* Until it has an address, the slot of a tensor holds the time of its last use and the number of its entry. */
static bool planned(const cell *c) {
    return c != NULL && (c->flags & CELL_WRITTEN) != 0 && c->dtype != OPC_RESOURCE;
}
static uint32_t note_of(const cell *c) {
    return (uint32_t)(uintptr_t)c->data;
}
static void set_note(cell *c, uint32_t last, uint32_t number) {
    c->data = (void *)(uintptr_t)(last << LAST_SHIFT | number);
}

static void note_reads(const graph *g, fb_vector v, uint32_t time) {
    for (uint32_t i = 0; i < *v; i++) {
        cell *c = cell_of(g->cells, v, i);
        if (planned(c)) {
            set_note(c, time, 0); /* times rise */
        }
    }
}

/* The number of a new entry; the count is one too large where the arena has no room for it. */
static uint32_t add_entry(plan *p, uint32_t bytes, uint32_t first, uint32_t last) {
    const uint32_t room = p->it->tail / (uint32_t)sizeof(entry);
    const uint32_t number = p->count;
    if (number >= room || number >= NONE || bytes > MAX_TENSOR_BYTES) {
        p->count = NONE + 1;
        return 0;
    }
    const entry fresh = {(bytes + 7U) & ~UINT32_C(7), UNPLACED, (uint16_t)first,
                         (uint16_t)(last > first ? last : first), NONE};
    *entry_at(p, number) = fresh;
    p->count = number + 1;
    return number;
}

static void add_tensor(plan *p, cell *c, uint32_t time) {
    const uint32_t last = note_of(c) >> LAST_SHIFT;
    set_note(c, last, add_entry(p, cell_bytes(c), time, last));
}

/* Put an output on top of an input when nothing reads that memory after this node. */
static bool join(plan *p, const opc_node *node, uint32_t time, uint32_t in, cell *to, bool alone) {
    const cell *from = cell_of(node->cells, node->inputs, in);
    if (!planned(from) || cell_bytes(from) != cell_bytes(to)) {
        return false;
    }
    for (uint32_t i = 0; alone && i < *node->inputs; i++) {
        if (i != in && cell_of(node->cells, node->inputs, i) == from) {
            return false;
        }
    }
    const uint32_t number = note_of(from) & NONE;
    const uint32_t last = note_of(to) >> LAST_SHIFT;
    entry *e = entry_at(p, number);
    if (p->count > NONE || e->last != time) {
        return false;
    }
    e->last = (uint16_t)(last > time ? last : time);
    set_note(to, last, number);
    return true;
}

/* May output k lie on an input, and does it? */
static bool joined(plan *p, const opc_node *node, uint32_t time, uint32_t k, cell *to) {
    const uint8_t flags = node->op->flags;
    if ((flags & OPC_INPLACE_PAIRS) != 0) {
        return join(p, node, time, k, to, true);
    }
    if (k != 0) {
        return false;
    }
    return ((flags & OPC_INPLACE_INPUT0) != 0 && join(p, node, time, 0, to, false)) ||
           ((flags & OPC_INPLACE_INPUT1) != 0 && join(p, node, time, 1, to, false));
}

static void add_outputs(plan *p, const opc_node *node, uint32_t time) {
    for (uint32_t k = 0; k < *node->outputs; k++) {
        cell *to = cell_of(node->cells, node->outputs, k);
        if (planned(to) && !joined(p, node, time, k, to)) {
            add_tensor(p, to, time);
        }
    }
}

static void add_entries(plan *p, const graph *g) {
    for (uint32_t i = 0; i < g->node_count; i++) {
        note_reads(g, g->nodes[i].inputs, i + 1);
    }
    note_reads(g, g->outputs, g->node_count + 1);
    for (uint32_t i = 0; i < *g->inputs; i++) {
        add_tensor(p, cell_of(g->cells, g->inputs, i), 0);
    }
    for (uint32_t i = 0; i < g->node_count; i++) {
        opc_node *node = &g->nodes[i];
        add_outputs(p, node, i + 1);
        if (node->scratch != 0) {
            node->scratch = 1 + add_entry(p, (uint32_t)node->scratch, i + 1, i + 1);
        }
    }
}

/* Lowest gap among the placed entries that live at the same time; keeps the list sorted. */
static bool place(plan *p, uint32_t number) {
    entry *e = entry_at(p, number);
    uint32_t at = 0;
    for (uint32_t i = p->head; i != NONE; i = entry_at(p, i)->next) {
        const entry *other = entry_at(p, i);
        if (other->first > e->last || e->first > other->last) {
            continue;
        }
        if (other->offset >= at && other->offset - at >= e->bytes) {
            break;
        }
        const uint32_t end = other->offset + other->bytes;
        at = end > at ? end : at;
    }
    uint16_t *link = &p->head;
    while (*link != NONE && entry_at(p, *link)->offset < at) {
        link = &entry_at(p, *link)->next;
    }
    e->offset = at;
    e->next = *link;
    *link = (uint16_t)number;
    /* Neither sum wraps: at and bytes are at most 2^30. */
    p->high = at + e->bytes > p->high ? at + e->bytes : p->high;
    return p->high <= MAX_TENSOR_BYTES;
}

static bool place_all(plan *p) {
    for (;;) {
        uint32_t best = NONE;
        for (uint32_t i = 0; i < p->count; i++) {
            const entry *e = entry_at(p, i);
            if (e->offset == UNPLACED && (best == NONE || e->bytes > entry_at(p, best)->bytes)) {
                best = i;
            }
        }
        if (best == NONE) {
            return true;
        }
        if (!place(p, best)) {
            return false;
        }
    }
}

/* Addresses for all. They are only used when the whole plan fits into the arena. */
static void publish(const plan *p, const graph *g) {
    const uintptr_t base = (uintptr_t)p->it->arena + p->it->head;
    for (uint32_t i = 0; i < g->cell_count; i++) {
        cell *c = &g->cells[i];
        if (planned(c)) {
            c->data = (void *)(base + entry_at(p, note_of(c) & NONE)->offset);
        }
    }
    for (uint32_t i = 0; i < g->node_count; i++) {
        opc_node *node = &g->nodes[i];
        if (node->scratch != 0) {
            node->scratch = base + entry_at(p, (uint32_t)node->scratch - 1)->offset;
        }
    }
}

/* Variables keep their memory for good, beside the records. */
static bool add_variables(opc_interpreter *it, const graph *g) {
    for (uint32_t i = 0; i < g->cell_count; i++) {
        cell *c = &g->cells[i];
        if ((c->flags & OPC_VARIABLE) != 0) {
            c->data = arena_alloc(it, cell_bytes(c));
            if (c->data == NULL) {
                return false;
            }
        }
    }
    return true;
}

opc_status plan_graph(opc_interpreter *it, const graph *g) {
    if (!add_variables(it, g)) {
        return fail(it, WHY_MEMORY);
    }
    plan p = {.it = it, .top = (entry *)(void *)(it->arena + it->tail), .head = NONE};
    add_entries(&p, g);
    if (p.count > NONE || !place_all(&p) || it->head + p.high > MAX_TENSOR_BYTES) {
        return fail(it, WHY_MEMORY);
    }
    publish(&p, g);
    it->head += p.high;
    const uint32_t opening = it->arena_bytes - it->tail + p.count * (uint32_t)sizeof(entry);
    it->peak = opening > it->peak ? opening : it->peak;
    return OPC_OK;
}
