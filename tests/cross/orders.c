/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One function for each shared access, so that its instructions can be looked at:
 * see orders.py. */
#include "core/base/atomics-private.h"

#define PROBE(name, type, expression)                                          \
  type probe_##name (shared_u64 *p, uint64_t v);                               \
  type probe_##name (shared_u64 *p, uint64_t v)                                \
  {                                                                            \
    return (type) (expression);                                                \
  }

PROBE (load_seq, uint64_t, load_seq (p))
PROBE (load_acquire, uint64_t, load_acquire (p))
PROBE (load_relaxed, uint64_t, load_relaxed (p))
PROBE (store_seq, void, store_seq (p, v))
PROBE (store_release, void, store_release (p, v))
PROBE (or_seq, uint64_t, or_seq (p, v))
PROBE (and_seq, uint64_t, and_seq (p, v))
PROBE (add_seq, uint64_t, add_seq (p, v))
PROBE (exchange_seq, uint64_t, exchange_seq (p, v))
PROBE (fence_seq, void, (store_relaxed (p, v), fence_seq ()))
PROBE (swap_u64_seq, bool, swap_u64_seq (p, v, v + 1))
