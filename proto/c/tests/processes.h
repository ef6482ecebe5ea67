/* What the tests of live rings share: a folder of rings, processes, and a list of cases.
 * Each case leaves the folder empty. */
#ifndef PROCESSES_H
#define PROCESSES_H

#include "../ndring.h"
#include "check.h"

#include <signal.h>
#include <sys/wait.h>

enum { RING_BYTES = 65536, PATIENCE_MS = 20000 };

static const char *folder;

static inline ndring_writer *writer_with(const ndring_writer_config *config) {
    ndring_writer *w = NULL;
    ndring_error err;

    if (ndring_writer_open(&w, "live", config, &err) != NDRING_OK) {
        fprintf(stderr, "writer: %s\n", err.text);
        exit(1);
    }
    return w;
}

static inline void writer_config(ndring_writer_config *c) {
    ndring_writer_defaults(c);
    c->dir = folder;
    c->capacity = RING_BYTES;
}

static inline ndring_writer *writer(void) {
    ndring_writer_config c;

    writer_config(&c);
    return writer_with(&c);
}

static inline void reader_config(ndring_reader_config *c) {
    ndring_reader_defaults(c);
    c->dir = folder;
    c->wait_ms = PATIENCE_MS;
}

static inline ndring_reader *reader_with(const ndring_reader_config *c) {
    ndring_reader *r = NULL;
    ndring_error err;

    if (ndring_reader_open(&r, "live", c, &err) != NDRING_OK) {
        fprintf(stderr, "reader: %s\n", err.text);
        exit(1);
    }
    return r;
}

/* apart runs f in a process of its own. */
static inline pid_t apart(void (*f)(int), int argument) {
    pid_t pid = fork();

    CHECK(pid >= 0);
    if (pid == 0) {
        f(argument);
        exit(0);
    }
    return pid;
}

/* joined serves the ring until the process has ended, which must have found all well. */
static inline void joined(ndring_writer *w, pid_t pid) {
    int status = 0;
    pid_t ended;

    while ((ended = waitpid(pid, &status, w == NULL ? 0 : WNOHANG)) != pid) {
        CHECK(ended == 0 || errno == EINTR);
        if (w != NULL) {
            ndr_server_turn(&w->server, 1);
        }
    }
    CHECK(status == 0);
}

static inline void publish(ndring_writer *w, double value, uint64_t items) {
    double values[1024];
    uint64_t i;

    for (i = 0; i < items; i++) {
        values[i] = value;
    }
    CHECK(ndring_writer_publish(w, NDRING_F64, 1, &items, values, PATIENCE_MS) == NDRING_OK);
}

/* A case of a program: what it is called, what runs, and with which argument. */
typedef struct live_case {
    const char *name;
    void (*run)(int);
    int argument;
} live_case;

/* run_cases runs each case in the folder that the command line names. */
static inline int run_cases(int argc, char **argv, const live_case *cases, size_t count) {
    size_t i;

    if (argc != 2) {
        fprintf(stderr, "usage: %s DIR\n", argv[0]);
        return 2;
    }
    folder = argv[1];
    for (i = 0; i < count; i++) {
        fprintf(stderr, "%s\n", cases[i].name);
        cases[i].run(cases[i].argument);
    }
    return 0;
}

#endif
