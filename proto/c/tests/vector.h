/* The test vectors of proto/testdata: cases of lines "key: value". proto/testdata/README.md
 * has the format. */
#ifndef VECTOR_H
#define VECTOR_H

#include "../ndring.h"

enum { LINE_MAX_BYTES = 4096, FIELDS_MAX = 128 };

typedef struct field {
    char key[32];
    char value[LINE_MAX_BYTES];
} field;

typedef struct vector {
    const char *file;
    char name[128];
    int line, count, bad;
    field fields[FIELDS_MAX];
} vector;

static int failures, cases;

static void complain(vector *v, const char *what, uint64_t got, uint64_t want) {
    printf("%s:%d %s: %s is %#llx, want %#llx\n", v->file, v->line, v->name, what, (unsigned long long)got, (unsigned long long)want);
    failures++;
}

/* lines returns line i of a key, NULL if there are not so many. */
static const char *lines(const vector *v, const char *key, int i) {
    int k;

    for (k = 0; k < v->count; k++) {
        if (strcmp(v->fields[k].key, key) == 0 && i-- == 0) {
            return v->fields[k].value;
        }
    }
    return NULL;
}

static uint64_t number(const vector *v, const char *key) {
    const char *text = lines(v, key, 0);

    return text == NULL ? 0 : strtoull(text, NULL, 0);
}

static void want(vector *v, const char *key, uint64_t got) {
    if (got != number(v, key)) {
        complain(v, key, got, number(v, key));
    }
}

static void want_text(vector *v, const char *key, const char *got) {
    const char *text = lines(v, key, 0);

    if (strcmp(got, text == NULL ? "" : text) != 0) {
        printf("%s:%d %s: %s is \"%s\", want \"%s\"\n", v->file, v->line, v->name, key, got, text == NULL ? "" : text);
        failures++;
    }
}

/* hex stores bytes written as words "0102" and "00*8"; it returns how many. */
static size_t hex(uint8_t *dst, size_t room, const char *text) {
    size_t used = 0;

    while (*text != 0) {
        uint8_t word[LINE_MAX_BYTES / 2];
        size_t n = 0, times = 1;
        unsigned byte;
        while (*text == ' ') {
            text++;
        }
        while (sscanf(text, "%2x", &byte) == 1 && text[0] != '*') {
            word[n++] = (uint8_t)byte;
            text += 2;
            if (*text == ' ' || *text == 0 || *text == '*') {
                break;
            }
        }
        if (*text == '*') {
            char *end = NULL;
            times = strtoul(text + 1, &end, 0);
            text = end;
        }
        if (n == 0) {
            break;
        }
        for (; times > 0 && used + n <= room; times--) {
            memcpy(dst + used, word, n);
            used += n;
        }
    }
    return used;
}

static size_t bytes(const vector *v, const char *key, uint8_t *dst, size_t room) {
    size_t used = 0;
    int i;

    for (i = 0; lines(v, key, i) != NULL; i++) {
        used += hex(dst + used, room - used, lines(v, key, i));
    }
    return used;
}

/* image builds zeros with the patches of the case; the caller frees it. It is aligned as
 * a mapping is. */
static uint8_t *image(const vector *v, uint64_t standard, uint64_t *size) {
    uint8_t *mem;
    int i;

    *size = lines(v, "size", 0) ? number(v, "size") : standard;
    mem = (uint8_t *)aligned_alloc(NDRING_PAGE_BYTES, (size_t)(*size / NDRING_PAGE_BYTES + 1) * NDRING_PAGE_BYTES);
    memset(mem, 0, (size_t)*size);
    for (i = 0; lines(v, "at", i) != NULL; i++) {
        char *digits = NULL;
        uint64_t at = strtoull(lines(v, "at", i), &digits, 0);
        (void)hex(mem + at, (size_t)(*size - at), digits);
    }
    return mem;
}

static int error_status(const char *name) {
    static const struct {
        const char *name;
        int status;
    } all[] = {{"magic", NDRING_ERR_MAGIC},       {"endian", NDRING_ERR_ENDIAN},       {"version", NDRING_ERR_VERSION},
               {"feature", NDRING_ERR_FEATURE},   {"not-ready", NDRING_ERR_NOT_READY}, {"checksum", NDRING_ERR_CHECKSUM},
               {"truncated", NDRING_ERR_TRUNCATED}, {"geometry", NDRING_ERR_GEOMETRY}, {"header", NDRING_ERR_HEADER},
               {"message", NDRING_ERR_MESSAGE},   {"name", NDRING_ERR_NAME},           {"shape", NDRING_ERR_SHAPE}};
    size_t i;

    for (i = 0; i < sizeof all / sizeof *all; i++) {
        if (strcmp(all[i].name, name) == 0) {
            return all[i].status;
        }
    }
    return -1;
}

/* failed checks a status against the case and returns 1 if the case is one that fails. */
static int failed(vector *v, int status) {
    const char *name = lines(v, "error", 0);
    int expected = name == NULL ? NDRING_OK : error_status(name);

    if (status != expected) {
        printf("%s:%d %s: %s, want %s\n", v->file, v->line, v->name, ndring_status_name(status), ndring_status_name(expected));
        failures++;
    }
    return name != NULL || status != NDRING_OK;
}

/* strip cuts comment and blanks off a line. */
static char *strip(char *text) {
    char *end = strchr(text, '#');

    if (end == NULL) {
        end = text + strlen(text);
    }
    while (*text == ' ' || *text == '\t') {
        text++;
    }
    while (end > text && strchr(" \t\r\n", end[-1]) != NULL) {
        end--;
    }
    *end = 0;
    return text;
}

/* each_vector calls check for every case of a file. */
static void each_vector(const char *dir, const char *file, void (*check)(vector *)) {
    static vector v;
    static char text[LINE_MAX_BYTES];
    char path[PATH_MAX], *key, *value;
    int line = 0, before = cases;
    FILE *f;

    snprintf(path, sizeof path, "%s/%s", dir, file);
    f = fopen(path, "r");
    memset(&v, 0, sizeof v);
    while (f != NULL && fgets(text, sizeof text, f) != NULL) {
        line++;
        key = strip(text);
        value = strchr(key, ':');
        if (value == NULL) {
            continue;
        }
        *value++ = 0;
        value = strip(value);
        if (strcmp(key, "case") == 0) {
            if (v.line > 0) {
                check(&v);
            }
            v.file = file;
            v.line = line;
            v.count = 0;
            cases++;
            snprintf(v.name, sizeof v.name, "%s", value);
        } else if (v.count < FIELDS_MAX) {
            snprintf(v.fields[v.count].key, sizeof v.fields[0].key, "%s", key);
            snprintf(v.fields[v.count++].value, sizeof v.fields[0].value, "%s", value);
        } else {
            complain(&v, "number of lines", FIELDS_MAX + 1, FIELDS_MAX);
        }
    }
    if (v.line > 0) {
        check(&v);
    }
    if (f != NULL) {
        fclose(f);
    }
    if (cases == before) {
        printf("%s: no case\n", path);
        failures++;
    }
}

#endif
