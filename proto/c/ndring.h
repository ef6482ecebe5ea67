/* ndring: zero-copy N-d array streams between processes, in C11 and C++17.
 *
 * Header-only, no dependency but the C library; Linux, little-endian. Include this file
 * before others, or define _GNU_SOURCE.
 *
 *   A consumer                                  A producer
 *     ndring_reader_config c;                     ndring_writer_config c;
 *     ndring_reader_defaults(&c);                 ndring_writer_defaults(&c);
 *     ndring_reader_open(&r, "x", &c, &err);      ndring_writer_open(&w, "x", &c, &err);
 *     while (ndring_reader_next(r, &f, -1) == 0)  ndring_writer_claim(w, NDRING_F64, 1, &n, -1, &p);
 *         use(f->payload, f->header.shape);       ... fill p ...
 *     ndring_reader_close(r);                     ndring_writer_commit(w);
 *                                                 ndring_writer_close(w, -1);
 *
 * One role a file:
 *
 *   ndring_layout.h    constants of the contract, generated from its Go source
 *   ndring_wire.h      the structures of a ring's files, every offset asserted
 *   ndring_packet.h    those of the messages, too
 *   ndring_status.h    status codes and error texts
 *   ndring_header.h    frame headers        ndring_identity.h  identity, reader table
 *   ndring_message.h   socket messages      ndring_segment.h   walks, the intact check
 *   ndring_session.h   a client's connection
 *   ndring_handshake.h how it comes about
 *   ndring_owner.h     whose a reader or writer is, after a fork
 *   ndring_directory.h files            ndring_space.h     their memory, reserved
 *   ndring_lease.h     a reader's frame     ndring_await.h     its waits
 *   ndring_reader.h    lossless readers     ndring_observer.h  lossy ones
 *   ndring_gate.h      the writer's memory  ndring_recover.h   what it takes over
 *   ndring_files.h     its files            ndring_connection.h, ndring_attach.h,
 *   ndring_room.h      its waits            ndring_server.h    its control plane
 *   ndring_claim.h     claims               ndring_commit.h    commits
 *   ndring_farewell.h  its last wait        ndring_writer.h    the writer
 *
 * What begins with ndring_ is for callers; what begins with ndr_ is the inside. Readers,
 * observers and writers are each for one thread at a time, and none starts a thread. A
 * forked process has no part in those of its parent: there calls fail with
 * NDRING_ERR_CLOSED, and closing frees its share alone.
 *
 * Limits: frames of a ring are shared memory of processes that trust each other not to
 * truncate its files. A payload must not be used after it was released, nor after its
 * reader was closed. Timeouts are in milliseconds, NDRING_FOREVER waits without end.
 */
#ifndef NDRING_H
#define NDRING_H

#if !defined(_GNU_SOURCE)
#define _GNU_SOURCE 1
#endif

#if defined(__cplusplus) /* what C cannot say otherwise is no fault of who includes it */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wold-style-cast"
#pragma GCC diagnostic ignored "-Wzero-as-null-pointer-constant"
#if !defined(__clang__)
#pragma GCC diagnostic ignored "-Wuseless-cast"
#endif
#endif

#include "ndring_observer.h"
#include "ndring_reader.h"
#include "ndring_writer.h"

#if defined(__cplusplus)
#pragma GCC diagnostic pop
#endif

#endif
