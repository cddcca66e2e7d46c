/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The only file that names memory orders. docs/memory-layout.md states which
 * step uses which function, its counterpart, and the reason why the order is
 * sufficient. The code names the step (A1..A10, B1..B14, F1..F5). */
#ifndef DATAHUB_ATOMICS_PRIVATE_H
#define DATAHUB_ATOMICS_PRIVATE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Lock-free is address-free in practice: what two processes need. */
#if ATOMIC_LLONG_LOCK_FREE != 2 || ATOMIC_INT_LOCK_FREE != 2
#error "datahub needs lock-free 32 and 64-bit atomics"
#endif

typedef _Atomic uint64_t shared_u64;
typedef _Atomic uint32_t shared_u32;

/* Counters and telemetry: no decision depends on their order. */
#define load_relaxed(p) atomic_load_explicit ((p), memory_order_relaxed)
#define store_relaxed(p, v)                                                    \
  atomic_store_explicit ((p), (v), memory_order_relaxed)
#define add_relaxed(p, v)                                                      \
  atomic_fetch_add_explicit ((p), (v), memory_order_relaxed)

/* Publication: stores before the release are visible after the acquire. */
#define load_acquire(p) atomic_load_explicit ((p), memory_order_acquire)
#define store_release(p, v)                                                    \
  atomic_store_explicit ((p), (v), memory_order_release)

/* Dekker pairs: each side stores its word, then loads the other's. */
#define load_seq(p) atomic_load_explicit ((p), memory_order_seq_cst)
#define store_seq(p, v) atomic_store_explicit ((p), (v), memory_order_seq_cst)
#define or_seq(p, v) atomic_fetch_or_explicit ((p), (v), memory_order_seq_cst)
#define and_seq(p, v) atomic_fetch_and_explicit ((p), (v), memory_order_seq_cst)
#define add_seq(p, v) atomic_fetch_add_explicit ((p), (v), memory_order_seq_cst)
#define exchange_seq(p, v)                                                     \
  atomic_exchange_explicit ((p), (v), memory_order_seq_cst)

/* The same for many stores at once. If a load after the fence does not see a
 * seq_cst store of another thread, that thread sees all stores before the
 * fence. */
#define fence_seq() atomic_thread_fence (memory_order_seq_cst)

static inline bool
swap_u64_seq (shared_u64 *word, uint64_t expected, uint64_t desired)
{
  return atomic_compare_exchange_strong_explicit (word, &expected, desired,
      memory_order_seq_cst, memory_order_seq_cst);
}

/* Raises @word to at least @value. */
static inline void
raise_u32_seq (shared_u32 *word, uint32_t value)
{
  uint32_t seen = load_seq (word);
  while (seen < value
      && !atomic_compare_exchange_weak_explicit (word, &seen, value,
          memory_order_seq_cst, memory_order_seq_cst))
    ;
}

/* An observer without a row copies data that may be changing, then checks
 * whether the word that referred to it is unchanged, and discards the copy if
 * not. Formally a race, so it is kept to this one function; the fence keeps the
 * loads of the copy before the second look. */
__attribute__ ((no_sanitize ("thread"))) static inline void
copy_unpinned (void *to, const void *from, size_t size)
{
  volatile const uint8_t *bytes = from;
  for (size_t i = 0; i < size; i++)
    ((uint8_t *) to)[i] = bytes[i];
  atomic_thread_fence (memory_order_acquire);
}

/* Hints to the processor that this is a spin loop. */
static inline void
spin_pause (void)
{
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause ();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

#endif /* DATAHUB_ATOMICS_PRIVATE_H */
