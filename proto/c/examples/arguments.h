/* Command lines of the examples: one positional ring name, then "--option value". */
#ifndef EXAMPLE_ARGUMENTS_H
#define EXAMPLE_ARGUMENTS_H

#include "../ndring.h"

/* argument returns the value of an option, or standard. */
static const char *argument(int argc, char **argv, const char *option, const char *standard) {
    int i;

    for (i = 2; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], option) == 0) {
            return argv[i + 1];
        }
    }
    return standard;
}

static uint64_t number_argument(int argc, char **argv, const char *option, uint64_t standard) {
    const char *text = argument(argc, argv, option, NULL);

    return text == NULL ? standard : strtoull(text, NULL, 0);
}

/* unknown_argument returns the first option that is not in the list, NULL if all are. */
static const char *unknown_argument(int argc, char **argv, const char *const *known) {
    int i, k;

    for (i = 2; i < argc; i += 2) {
        for (k = 0; known[k] != NULL && strcmp(known[k], argv[i]) != 0; k++) {
        }
        if (known[k] == NULL || i + 1 == argc) {
            return argv[i];
        }
    }
    return NULL;
}

/* pattern is byte i of the payload of frame number n: what producers of every language
 * write and consumers expect. */
static inline uint8_t pattern(uint64_t n, uint64_t i) { return (uint8_t)(n * 131 + i * 7 + (i >> 8) * 13); }

#endif
