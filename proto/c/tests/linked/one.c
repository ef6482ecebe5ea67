/* linked DIR: writes a ring whose one frame a process with code of the other file reads. */
#include "linked.h"

#include <sys/wait.h>

int main(int argc, char **argv) {
    const double values[3] = {1, 2, 3};
    const uint64_t items = 3;
    ndring_writer_config config;
    ndring_writer *w;
    ndring_error err;
    int status;
    pid_t reader;

    if (argc != 2) {
        return 2;
    }
    ndring_writer_defaults(&config);
    config.dir = argv[1];
    config.schema_shape[0] = NDRING_ANY_DIM;
    if (ndring_writer_open(&w, "linked", &config, &err) != NDRING_OK) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    reader = fork();
    if (reader == 0) {
        double got[3] = {0, 0, 0};
        ndring_writer_close(w, 0);
        status = read_first(argv[1], got, 3);
        _exit(status == NDRING_OK && got[0] == 1 && got[2] == 3 ? 0 : 1);
    }
    status = ndring_writer_publish(w, NDRING_F64, 1, &items, values, NDRING_FOREVER);
    if (status != NDRING_OK || ndring_writer_close(w, NDRING_FOREVER) != NDRING_OK) {
        return 1;
    }
    return waitpid(reader, &status, 0) == reader && status == 0 ? 0 : 1;
}
