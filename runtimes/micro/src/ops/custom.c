#include <math.h>
#include <string.h>

#include "kernel_flex.h"

/* The one custom operator that there is, TFLite_Detection_PostProcess: box encodings and scores to the best boxes. */
static const char name[] = "TFLite_Detection_PostProcess";

/* What the options say; kept by the node. */
typedef struct settings {
    uint32_t detections;
    uint32_t each; /* classes of a detection */
    uint32_t per_class;
    uint32_t labels;
    bool regular; /* classes are thinned out one by one */
    float least;  /* score */
    float limit;  /* of overlap */
    float scales[4];
} settings;

enum { TOP = 0, LEFT = 1, BOTTOM = 2, RIGHT = 3 };

typedef struct detector {
    const settings *options;
    opc_tensor in[3]; /* encodings [1, n, 4], scores [1, n, width], anchors [n, 4] */
    opc_tensor out[4];
    uint32_t n;
    uint32_t width;
    float *boxes; /* n corners (scratch) */
    float *rank;  /* what the boxes compete with, NaN for those that are out (scratch) */
} detector;

static bool whole(const opc_flex *map, const char *key, uint32_t length, uint32_t *number) {
    float value = (float)*number;
    const bool found = opc_flex_number(map, key, length, &value);
    const bool good = value >= 1.0f && value <= 65536.0f;
    *number = good ? (uint32_t)value : 0;
    return found && good;
}

static bool read_settings(const opc_flex *map, settings *s) {
    float regular = 0.0f;
    s->per_class = 100;
    whole(map, "detections_per_class", sizeof "detections_per_class", &s->per_class);
    OPC_FLEX_NUMBER(map, "use_regular_nms", &regular);
    s->regular = regular != 0.0f;
    bool good = s->per_class != 0 && whole(map, "max_detections", sizeof "max_detections", &s->detections) &&
                whole(map, "max_classes_per_detection", sizeof "max_classes_per_detection", &s->each) &&
                whole(map, "num_classes", sizeof "num_classes", &s->labels) &&
                OPC_FLEX_NUMBER(map, "nms_score_threshold", &s->least) &&
                OPC_FLEX_NUMBER(map, "nms_iou_threshold", &s->limit) &&
                OPC_FLEX_NUMBER(map, "y_scale", &s->scales[0]) && OPC_FLEX_NUMBER(map, "x_scale", &s->scales[1]) &&
                OPC_FLEX_NUMBER(map, "h_scale", &s->scales[2]) && OPC_FLEX_NUMBER(map, "w_scale", &s->scales[3]);
    for (uint32_t i = 0; good && i < 4; i++) {
        good = s->scales[i] > 0.0f;
    }
    return good && s->each <= s->labels && s->detections * s->each <= 65536U;
}

static bool fetch(const opc_node *node, detector *d) {
    bool good = opc_input_count(node) == 3 && opc_output_count(node) == 4;
    for (uint32_t i = 0; good && i < 3; i++) {
        good = opc_input(node, i, &d->in[i]) && d->in[i].dtype == OPC_FLOAT32 && d->in[i].rank == (i == 2 ? 2 : 3);
    }
    for (uint32_t i = 0; good && i < 4; i++) {
        good = opc_output(node, i, &d->out[i]) && d->out[i].dtype == OPC_FLOAT32;
    }
    if (!good) {
        return false;
    }
    d->n = (uint32_t)d->in[0].dims[1];
    d->width = (uint32_t)d->in[1].dims[2];
    return d->in[0].dims[0] == 1 && d->in[0].dims[2] == 4 && d->in[1].dims[0] == 1 &&
           (uint32_t)d->in[1].dims[1] == d->n && (uint32_t)d->in[2].dims[0] == d->n && d->in[2].dims[1] == 4;
}

static opc_status prepare(opc_node *node) {
    detector d;
    opc_flex map;
    uint32_t length;
    const char *custom = opc_custom_name(node, &length);
    if (length != sizeof name - 1U || memcmp(custom, name, length) != 0) {
        return OPC_FAIL(node, OPC_UNSUPPORTED, "a custom operator that is not known");
    }
    if (!fetch(node, &d)) {
        return OPC_FAIL(node, OPC_INVALID_MODEL,
                        "encodings, scores, anchors and outputs of float32 do not fit together");
    }
    const uint8_t *bytes = opc_custom_options(node, &length);
    OPC_TRY(opc_flex_open(node, bytes, length, &map));
    settings *s = opc_alloc(node, sizeof *s);
    if (s == NULL) {
        return OPC_NO_MEMORY;
    }
    if (!read_settings(&map, s) || d.width < s->labels || d.width > s->labels + 1U) {
        return OPC_FAIL(node, OPC_INVALID_MODEL, "an option is missing or out of range, or scores for other classes");
    }
    const uint32_t places = s->detections * s->each;
    if (d.out[0].elements != 4U * places || d.out[1].elements != places || d.out[2].elements != places ||
        d.out[3].elements != 1) {
        return OPC_FAIL(node, OPC_INVALID_MODEL, "an output has no room for the detections");
    }
    opc_scratch(node, d.n * 5U * (uint32_t)sizeof(float));
    return OPC_OK;
}

/* Centres move by a share of the anchor's size, sizes grow by a power of e. */
static void decode(const detector *d) {
    const float *e = opc_f32(&d->in[0]);
    const float *anchor = opc_f32(&d->in[2]);
    const float *scales = d->options->scales;
    for (uint32_t i = 0; i < 4U * d->n; i += 4) {
        for (uint32_t k = 0; k < 2; k++) {
            const float size = anchor[i + 2 + k];
            const float centre = e[i + k] / scales[k] * size + anchor[i + k];
            const float half = 0.5f * expf(e[i + 2 + k] / scales[2 + k]) * size;
            d->boxes[i + TOP + k] = centre - half;
            d->boxes[i + BOTTOM + k] = centre + half;
        }
    }
}

static float smaller(float a, float b) {
    return b < a ? b : a;
}

static float larger(float a, float b) {
    return b > a ? b : a;
}

/* Intersection over union; 0 where a box has no area. */
static float overlap(const float *a, const float *b) {
    const float area_a = (a[BOTTOM] - a[TOP]) * (a[RIGHT] - a[LEFT]);
    const float area_b = (b[BOTTOM] - b[TOP]) * (b[RIGHT] - b[LEFT]);
    const float height = smaller(a[BOTTOM], b[BOTTOM]) - larger(a[TOP], b[TOP]);
    const float width = smaller(a[RIGHT], b[RIGHT]) - larger(a[LEFT], b[LEFT]);
    if (area_a <= 0.0f || area_b <= 0.0f || height <= 0.0f || width <= 0.0f) {
        return 0.0f;
    }
    return height * width / (area_a + area_b - height * width);
}

/* Takes the best box that is left out of the race, and those that overlap it. False when none is good enough. */
static bool pick(const detector *d, uint32_t *box, float *score) {
    bool found = false;
    for (uint32_t i = 0; i < d->n; i++) {
        if (d->rank[i] >= d->options->least && (!found || d->rank[i] > *score)) {
            found = true;
            *box = i;
            *score = d->rank[i];
        }
    }
    for (uint32_t i = 0; found && i < d->n; i++) {
        const bool rival = i != *box && d->rank[i] >= d->options->least;
        if (i == *box || (rival && overlap(d->boxes + 4U * *box, d->boxes + 4U * i) > d->options->limit)) {
            d->rank[i] = NAN;
        }
    }
    return found;
}

/* Put a detection behind those that are not worse, at places first ... first + most; what does not fit is lost. */
static void insert(const detector *d, uint32_t first, uint32_t most, uint32_t box, uint32_t label, float score) {
    float *boxes = (float *)d->out[0].data + 4U * first;
    float *classes = (float *)d->out[1].data + first;
    float *best = (float *)d->out[2].data + first;
    uint32_t at = most;
    while (at > 0 && !(best[at - 1] >= score)) {
        at--;
        if (at + 1 < most) {
            memcpy(boxes + 4U * (at + 1), boxes + 4U * at, 4 * sizeof *boxes);
            classes[at + 1] = classes[at];
            best[at + 1] = best[at];
        }
    }
    if (at < most) {
        memcpy(boxes + 4U * at, d->boxes + 4U * box, 4 * sizeof *boxes);
        classes[at] = (float)label;
        best[at] = score;
    }
}

/* Boxes of every class are thinned out by themselves, the best of all are kept. */
static uint32_t detect_regular(const detector *d, const float *scores) {
    const settings *s = d->options;
    uint32_t found = 0;
    for (uint32_t label = 0; label < s->labels; label++) {
        uint32_t box = 0;
        float score = 0.0f;
        for (uint32_t i = 0; i < d->n; i++) {
            d->rank[i] = scores[i * d->width + label];
        }
        for (uint32_t k = 0; k < s->per_class && pick(d, &box, &score); k++) {
            found++;
            insert(d, 0, s->detections, box, label, score);
        }
    }
    return found < s->detections ? found : s->detections;
}

/* Boxes are thinned out by their best class; each gives its best classes. */
static uint32_t detect_fast(const detector *d, const float *scores) {
    const settings *s = d->options;
    for (uint32_t i = 0; i < d->n; i++) {
        d->rank[i] = scores[i * d->width];
        for (uint32_t label = 1; label < s->labels; label++) {
            d->rank[i] = larger(d->rank[i], scores[i * d->width + label]);
        }
    }
    uint32_t found = 0;
    uint32_t box = 0;
    float score = 0.0f;
    for (; found < s->detections && pick(d, &box, &score); found++) {
        for (uint32_t label = 0; label < s->labels; label++) {
            insert(d, found * s->each, s->each, box, label, scores[box * d->width + label]);
        }
    }
    return found;
}

static opc_status invoke(opc_node *node) {
    detector d;
    d.options = opc_data(node);
    fetch(node, &d);
    d.boxes = opc_scratch_data(node);
    d.rank = d.boxes + 4U * d.n;
    decode(&d);
    float *best = d.out[2].data;
    for (uint32_t i = 0; i < d.out[2].elements; i++) {
        best[i] = -HUGE_VALF; /* free */
    }
    const float *scores = opc_f32(&d.in[1]) + (d.width - d.options->labels);
    const uint32_t found = d.options->regular ? detect_regular(&d, scores) : detect_fast(&d, scores);
    for (uint32_t i = 0; i < d.out[2].elements; i++) {
        if (best[i] == -HUGE_VALF) {
            best[i] = 0.0f;
            ((float *)d.out[1].data)[i] = 0.0f;
            memset((float *)d.out[0].data + 4U * i, 0, 4 * sizeof(float));
        }
    }
    *(float *)d.out[3].data = (float)found;
    return OPC_OK;
}

const opc_op opc_custom = {
    .code = OPC_CODE_CUSTOM, .key = OPC_KEY_NONE, .types = OPC_ANY_TYPE, .prepare = prepare, .invoke = invoke};
