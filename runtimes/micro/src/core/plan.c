/* The memory plan of one subgraph: greedy by size over lifetimes, after the tensors that may share memory were joined.
 */
#include "model.h"

#define NONE 0xFFFFU

/* A tensor or the scratch of a node. Time 0 is the caller's, node i runs at i + 1, the results are read at nodes + 1.
 */
typedef struct entry {
    uint32_t bytes;
    uint32_t offset; /* UINT32_MAX until placed */
    uint16_t first;
    uint16_t last;
    uint16_t root; /* the entry whose memory this one shares, or itself; NONE: not planned */
    uint16_t next; /* placed entries in the order of their offsets */
} entry;

typedef struct plan {
    entry *entries;
    uint32_t count;   /* tensors, then one scratch a node that wants it */
    uint32_t tensors; /* how many of them are tensors */
    uint16_t head;    /* first placed entry */
    uint32_t high;    /* bytes in use */
} plan;

static uint32_t align8(uint32_t n) {
    return (n + 7U) & ~UINT32_C(7);
}

static uint32_t scratch_of(const graph *g, uint32_t node) {
    return (uint32_t)(uintptr_t)g->nodes[node].scratch;
}

static void start_entries(opc_interpreter *it, const graph *g, plan *p) {
    for (uint32_t i = 0; i < g->tensors.count; i++) {
        entry *e = &p->entries[i];
        opc_tensor view;
        view_tensor(it, g, (int32_t)i, &view);
        const bool planned = g->cells[i].data == planned_mark(it) && view.dtype != OPC_RESOURCE;
        const entry fresh = {align8(view.bytes), UINT32_MAX, 0, 0, planned ? (uint16_t)i : NONE, NONE};
        *e = fresh;
    }
}

static void note_reads(opc_interpreter *it, fb_vector v, uint16_t time, plan *p) {
    const fb_file f = file_of(it);
    for (uint32_t i = 0; i < v.count; i++) {
        const int32_t index = element(&f, v, i);
        if (index >= 0 && p->entries[index].last < time) {
            p->entries[index].last = time;
        }
    }
}

static void note_writes(opc_interpreter *it, fb_vector v, uint16_t time, plan *p) {
    const fb_file f = file_of(it);
    for (uint32_t i = 0; i < v.count; i++) {
        entry *e = &p->entries[element(&f, v, i)];
        e->first = time;
        e->last = e->last > time ? e->last : time;
    }
}

/* Lifetimes before sharing: reads in any order, since only the latest counts. */
static void find_lifetimes(opc_interpreter *it, graph *g, plan *p) {
    uint32_t scratch = p->tensors;
    for (uint32_t i = 0; i < g->operators.count; i++) {
        const opc_node node = node_at(it, g, i);
        const uint16_t time = (uint16_t)(i + 1);
        note_writes(it, node.outputs, time, p);
        note_reads(it, node.inputs, time, p);
        if (scratch_of(g, i) != 0) {
            const entry e = {align8(scratch_of(g, i)), UINT32_MAX, time, time, (uint16_t)scratch, NONE};
            p->entries[scratch++] = e;
        }
    }
    note_reads(it, g->outputs, (uint16_t)(g->operators.count + 1), p);
}

static bool read_once(const opc_node *node, int32_t index) {
    const fb_file f = file_of(node->it);
    uint32_t reads = 0;
    for (uint32_t i = 0; i < node->inputs.count; i++) {
        reads += element(&f, node->inputs, i) == index ? 1U : 0U;
    }
    return reads == 1;
}

/* Put output `out` on top of input `in` when nothing reads that memory after this node. */
static bool join(const opc_node *node, plan *p, uint32_t in, uint32_t out, bool alone) {
    const fb_file f = file_of(node->it);
    if (in >= node->inputs.count || out >= node->outputs.count) {
        return false;
    }
    const int32_t from = element(&f, node->inputs, in);
    entry *to = &p->entries[element(&f, node->outputs, out)];
    if (from < 0 || p->entries[from].root == NONE || to->root == NONE || (alone && !read_once(node, from))) {
        return false;
    }
    entry *root = &p->entries[p->entries[from].root];
    opc_tensor a;
    opc_tensor b;
    view_tensor(node->it, node->graph, from, &a);
    opc_output(node, out, &b);
    if (root->last != node->index + 1 || a.bytes != b.bytes) {
        return false;
    }
    to->root = p->entries[from].root;
    root->last = to->last > root->last ? to->last : root->last;
    return true;
}

static void share(opc_interpreter *it, graph *g, plan *p) {
    for (uint32_t i = 0; i < g->operators.count; i++) {
        const opc_node node = node_at(it, g, i);
        const uint8_t flags = node.state->op->flags;
        if ((flags & OPC_INPLACE_PAIRS) != 0) {
            for (uint32_t k = 0; k < node.outputs.count; k++) {
                join(&node, p, k, k, true);
            }
        } else if ((flags & OPC_INPLACE_INPUT0) == 0 || !join(&node, p, 0, 0, false)) {
            if ((flags & OPC_INPLACE_INPUT1) != 0) {
                join(&node, p, 1, 0, false);
            }
        }
    }
}

/* Lowest gap among the placed entries that live at the same time; keeps the list sorted. */
static opc_status place(opc_interpreter *it, plan *p, uint16_t index) {
    entry *e = &p->entries[index];
    const uint32_t limit = it->arena_bytes - it->head;
    uint32_t at = 0;
    for (uint16_t i = p->head; i != NONE; i = p->entries[i].next) {
        const entry *other = &p->entries[i];
        if (other->first > e->last || e->first > other->last) {
            continue;
        }
        if (other->offset >= at && other->offset - at >= e->bytes) {
            break;
        }
        const uint32_t end = other->offset + other->bytes;
        at = end > at ? end : at;
    }
    /* at <= limit < 2^31 for all placed entries, bytes <= 2^30: the sum does not wrap. */
    if (at + e->bytes > limit) {
        return FAIL(it, OPC_NO_MEMORY, "arena too small for the tensors");
    }
    e->offset = at;
    p->high = at + e->bytes > p->high ? at + e->bytes : p->high;
    uint16_t *link = &p->head;
    while (*link != NONE && p->entries[*link].offset < at) {
        link = &p->entries[*link].next;
    }
    e->next = *link;
    *link = index;
    return OPC_OK;
}

static uint16_t largest_unplaced(const plan *p) {
    uint16_t best = NONE;
    for (uint32_t i = 0; i < p->count; i++) {
        const entry *e = &p->entries[i];
        const bool open = e->root == i && e->offset == UINT32_MAX;
        if (open && (best == NONE || e->bytes > p->entries[best].bytes)) {
            best = (uint16_t)i;
        }
    }
    return best;
}

static void publish(opc_interpreter *it, graph *g, const plan *p) {
    uint8_t *base = it->arena + it->head;
    for (uint32_t i = 0; i < g->tensors.count; i++) {
        const uint16_t root = p->entries[i].root;
        if (root != NONE) {
            g->cells[i].data = base + p->entries[root].offset;
        }
    }
    uint32_t scratch = p->tensors;
    for (uint32_t i = 0; i < g->operators.count; i++) {
        if (scratch_of(g, i) != 0) {
            g->nodes[i].scratch = base + p->entries[scratch++].offset;
        }
    }
}

opc_status plan_graph(opc_interpreter *it, graph *g) {
    const uint32_t tail = it->tail;
    plan p = {.tensors = g->tensors.count, .count = g->tensors.count, .head = NONE};
    for (uint32_t i = 0; i < g->operators.count; i++) {
        if (scratch_of(g, i) > MAX_TENSOR_BYTES) {
            return FAIL(it, OPC_NO_MEMORY, "scratch too large");
        }
        p.count += scratch_of(g, i) != 0 ? 1U : 0U;
    }
    p.entries = arena_alloc(it, p.count * (uint32_t)sizeof(entry));
    if (p.entries == NULL) {
        return FAIL(it, OPC_NO_MEMORY, "arena too small to plan");
    }
    start_entries(it, g, &p);
    find_lifetimes(it, g, &p);
    share(it, g, &p);
    opc_status status = OPC_OK;
    for (uint16_t i = largest_unplaced(&p); i != NONE && status == OPC_OK; i = largest_unplaced(&p)) {
        status = place(it, &p, i);
    }
    if (status == OPC_OK) {
        publish(it, g, &p);
    }
    const uint32_t opening = it->head + it->arena_bytes - it->tail;
    it->peak = opening > it->peak ? opening : it->peak;
    it->tail = tail;
    if (status == OPC_OK && p.high > it->tail - it->head) {
        status = FAIL(it, OPC_NO_MEMORY, "arena too small for the tensors");
    }
    it->head += status == OPC_OK ? p.high : 0;
    return status;
}
