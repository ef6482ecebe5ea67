/* Shared words: 8 bytes, aligned, loaded and stored whole. docs/layout.md, "Memory
 * ordering", says which order each word needs. */
#ifndef NDRING_ATOMIC_H
#define NDRING_ATOMIC_H

#include <linux/membarrier.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__SANITIZE_THREAD__)
#define NDR_THREAD_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define NDR_THREAD_SANITIZER 1
#endif
#endif

/* What runs for each frame is inlined whole; what runs now and then stays out of its way. */
#define NDR_HOT __attribute__((always_inline)) static inline
#define NDR_COLD __attribute__((noinline, cold, unused)) static
#define NDR_LIKELY(condition) __builtin_expect(!!(condition), 1)

static inline uint64_t ndr_load(const uint64_t *word) { return __atomic_load_n(word, __ATOMIC_ACQUIRE); }
static inline uint64_t ndr_load_relaxed(const uint64_t *word) { return __atomic_load_n(word, __ATOMIC_RELAXED); }
static inline void ndr_store(uint64_t *word, uint64_t v) { __atomic_store_n(word, v, __ATOMIC_RELEASE); }
static inline void ndr_store_relaxed(uint64_t *word, uint64_t v) { __atomic_store_n(word, v, __ATOMIC_RELAXED); }
static inline void ndr_store_seq(uint64_t *word, uint64_t v) { __atomic_store_n(word, v, __ATOMIC_SEQ_CST); }
static inline uint64_t ndr_swap(uint64_t *word, uint64_t v) { return __atomic_exchange_n(word, v, __ATOMIC_SEQ_CST); }

/* ndr_fence orders every earlier store before every later load. The thread
 * sanitizer knows no fences; a swap of a word of one's own is as strong. */
static inline void ndr_fence(void) {
#if defined(NDR_THREAD_SANITIZER)
    uint64_t own = 0;
    (void)ndr_swap(&own, 1);
#else
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
#endif
}

/* ndr_load_fence orders earlier loads before later loads. */
static inline void ndr_load_fence(void) {
#if defined(NDR_THREAD_SANITIZER)
    ndr_fence();
#else
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
#endif
}

/* ndr_compiler_fence keeps the compiler from moving accesses; a peer's membarrier
 * does the same to the processor. */
static inline void ndr_compiler_fence(void) { __atomic_signal_fence(__ATOMIC_SEQ_CST); }

static inline void ndr_pause(void) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* ndr_membarrier_register makes this process one whose processors a peer's
 * membarrier interrupts, so that it may skip its fence. It returns 1 if so. */
static inline int ndr_membarrier_register(void) {
    long known = syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0);

    if (known < 0 || (known & MEMBARRIER_CMD_GLOBAL_EXPEDITED) == 0 ||
        (known & MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED) == 0) {
        return 0;
    }
    return syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED, 0, 0) == 0;
}

/* ndr_membarrier is a full fence on every processor that runs a registered
 * process. */
static inline void ndr_membarrier(void) { (void)syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL_EXPEDITED, 0, 0); }

#endif
