/* A program of two files that both include ndring.h, as a user writes it. */
#ifndef LINKED_H
#define LINKED_H

#include "../../ndring.h"

/* read_first returns the status of reading the first frame of a ring, which has n values. */
int read_first(const char *dir, double *values, uint64_t n);

#endif
