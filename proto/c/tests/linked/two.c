#include "linked.h"

int read_first(const char *dir, double *values, uint64_t n) {
    ndring_reader_config config;
    const void *payload;
    const ndring_frame *f;
    ndring_reader *r;
    uint64_t count;
    int status;

    ndring_reader_defaults(&config);
    config.dir = dir;
    status = ndring_reader_open(&r, "linked", &config, NULL);
    if (status != NDRING_OK) {
        return status;
    }
    status = ndring_reader_next(r, &f, NDRING_FOREVER);
    if (status == NDRING_OK) {
        status = ndring_frame_values(f, NDRING_F64, &payload, &count);
    }
    if (status == NDRING_OK && count == n) {
        memcpy(values, payload, n * sizeof *values);
    }
    ndring_reader_close(r);
    return status;
}
