/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Validation of the consumer table: the wake page, every row against the ring
 * and against the kernel's lock, and the user locks.
 * Tests: core-integrity, core-hostile-integrity */
#include "integrity-private.h"
#include "core/userlock/lock-private.h"

#include <stdio.h>
#include <string.h>

static bool
check_bell (Scan *scan, uint32_t index, Doubt *doubt)
{
  const Block *block = &scan->block;
  uint32_t rows = load_seq (block->rows_hwm);
  if (rows > block->g.max_rows)
    return doubt_set (doubt, DATAHUB_FINDING_WAKE_PAGE, 0, rows,
        "rows_hwm is %u; the block has %u rows.", rows, block->g.max_rows);
  for (uint32_t i = block->g.max_rows; i < N_WAITER_WORDS * 64; i++) {
    uint64_t word = load_seq (&block->wake->waiters[i >> 6]);
    if (word >> (i & 63) & 1)
      return doubt_set (doubt, DATAHUB_FINDING_WAKE_PAGE, i, word,
          "Row %u is marked as sleeping; the block has %u rows.", i,
          block->g.max_rows);
  }
  return false;
}

/* The words of a row that only joins, leaves and evictions change, and the gate,
 * which never takes a value twice. Two equal copies are of one moment. */
typedef struct
{
  uint64_t gate, incarnation, claim;
  uint32_t state, mode, quota;
} RowWords;

static RowWords
row_words (const ConsumerRow *row)
{
  RowWords words;
  memset (&words, 0, sizeof words); /* compared byte by byte */
  words.state = load_seq (&row->state);
  words.gate = load_seq (&row->gate);
  words.incarnation = load_seq (&row->incarnation);
  words.claim = load_seq (&row->claim);
  words.mode = load_seq (&row->mode);
  words.quota = load_seq (&row->quota);
  return words;
}

static bool
check_row_numbers (Scan *scan, uint32_t i, const RowWords *words, Doubt *doubt)
{
  const Geometry *g = &scan->block.g;
  if (words->state > DATAHUB_CONSUMER_LEAVING)
    return doubt_set (doubt, DATAHUB_FINDING_ROW, i, words->state,
        "The state of row %u is %u, which is not a state.", i, words->state);
  if (words->state == DATAHUB_CONSUMER_FREE)
    return false;
  if (words->mode > (MODE_RELIABLE | MODE_NOTIFY))
    return doubt_set (doubt, DATAHUB_FINDING_ROW, i, words->mode,
        "The mode of row %u is %u, which is not a mode.", i, words->mode);
  if (words->quota > g->n_recs)
    return doubt_set (doubt, DATAHUB_FINDING_ROW, i, words->quota,
        "Row %u may hold %u slots, but the block has %u records.", i,
        words->quota, g->n_recs);
  if (words->claim > words->incarnation)
    return doubt_set (doubt, DATAHUB_FINDING_ROW, i, words->claim,
        "Row %u was claimed by incarnation %llu, but its incarnation is %llu.",
        i, (unsigned long long) words->claim,
        (unsigned long long) words->incarnation);
  return false;
}

/* Only for a consumer that has completed its first join: during a rejoin the
 * words contradict each other for a moment. @tail and @head were loaded while
 * the gate was set: the producer never retires a record that a gate needs. */
static bool
check_gate (Scan *scan, uint32_t i, const RowWords *words, uint64_t tail,
    uint64_t head, Doubt *doubt)
{
  uint64_t needed = GATE_SEQUENCE (words->gate);
  if (words->state != DATAHUB_CONSUMER_ACTIVE
      || words->claim != words->incarnation)
    return false;
  if (words->gate >> SEQUENCE_BITS != (words->incarnation & 0xffff))
    return doubt_set (doubt, DATAHUB_FINDING_GATE, i, words->gate,
        "The gate of row %u belongs to incarnation %llu, but the row's "
        "incarnation is %llu.",
        i, (unsigned long long) (words->gate >> SEQUENCE_BITS),
        (unsigned long long) words->incarnation & 0xffff);
  if (needed >= GATE_EVICTED)
    return false;
  if (!(words->mode & MODE_RELIABLE))
    return doubt_set (doubt, DATAHUB_FINDING_GATE, i, words->gate,
        "Row %u belongs to a live consumer, but blocks the producer at record "
        "%llu.",
        i, (unsigned long long) needed);
  if (needed < (tail & SEQUENCE_MASK) || needed > (head & SEQUENCE_MASK))
    return doubt_set (doubt, DATAHUB_FINDING_GATE, i, words->gate,
        "Row %u needs record %llu next, but the ring goes from %llu to %llu.",
        i, (unsigned long long) needed, (unsigned long long) tail,
        (unsigned long long) head);
  return false;
}

static bool
check_row (Scan *scan, uint32_t i, Doubt *doubt)
{
  const Block *block = &scan->block;
  const ConsumerRow *row = block_row (block, i);
  RowWords words = row_words (row), again;
  uint64_t cursor = load_seq (&row->cursor);
  uint64_t tail = load_seq (&block->header->tail);
  uint64_t head = load_seq (&block->header->head);
  bool alive = words.state != DATAHUB_CONSUMER_FREE
      && block_row_is_alive (block, block->lck, i);
  again = row_words (row);
  if (memcmp (&words, &again, sizeof words) != 0)
    return false;
  scan->report->n_rows += scan->first && alive;
  if (check_row_numbers (scan, i, &words, doubt))
    return true;
  if (!alive)
    return false; /* its words are for the cleaner */
  if (words.state == DATAHUB_CONSUMER_ACTIVE && cursor > head)
    return doubt_set (doubt, DATAHUB_FINDING_ROW, i, cursor,
        "Row %u reads record %llu next, but the ring ends before %llu.", i,
        (unsigned long long) cursor, (unsigned long long) head);
  return check_gate (scan, i, &words, tail, head, doubt);
}

/* Only what the owner of the row wrote: each word has its claim. */
static bool
check_mail (Scan *scan, uint32_t i, Doubt *doubt)
{
  const Block *block = &scan->block;
  const RowExtra *extra = block_row_extra (block, i);
  uint64_t claim = load_seq (&block_row (block, i)->claim) & 0xffff, event,
           limits;
  if (!extra || !block_row_is_alive (block, block->lck, i))
    return false;
  event = load_seq (&extra->event);
  limits = load_seq (&extra->limits);
  if (MAIL_CLAIM (event) == claim
      && MAIL_SIZE (event) > DATAHUB_UPSTREAM_EVENT_MAX)
    return doubt_set (doubt, DATAHUB_FINDING_ROW, i, event,
        "Row %u has an event of %u bytes; at most %u fit.", i,
        (uint32_t) MAIL_SIZE (event), DATAHUB_UPSTREAM_EVENT_MAX);
  if (MAIL_CLAIM (limits) == claim && MAIL_SIZE (limits) >= DATAHUB_LIMITS_MAX)
    return doubt_set (doubt, DATAHUB_FINDING_ROW, i, limits,
        "Row %u has limits of %u characters; at most %u fit.", i,
        (uint32_t) MAIL_SIZE (limits), DATAHUB_LIMITS_MAX - 1);
  return false;
}

static bool
check_pins (Scan *scan, uint32_t i, Doubt *doubt)
{
  const Block *block = &scan->block;
  uint32_t last = block->g.pin_words - 1, used = block->g.n_recs & 63;
  uint64_t word = load_seq (&block_row (block, i)->pins[last]);
  if (used == 0 || word >> used == 0)
    return false;
  return doubt_set (doubt, DATAHUB_FINDING_PINS, i, word >> used,
      "Row %u holds records beyond the last of the %u records.", i,
      block->g.n_recs);
}

/* A row becomes neutral before its lock is released. So if a row is not
 * neutral, its lock is free, and it was not taken again meanwhile, its owner
 * died. */
static bool
check_dead_row (Scan *scan, uint32_t i, Doubt *doubt)
{
  const Block *block = &scan->block;
  ConsumerRow *row = block_row (block, i);
  uint64_t incarnation = load_seq (&row->incarnation);
  DatahubConsumerInfo info;
  if (row_is_neutral (block, i) || block_row_is_alive (block, block->lck, i)
      || row_is_neutral (block, i)
      || load_seq (&row->incarnation) != incarnation)
    return false;
  if (!row_read_info (block, block->lck, i, &info)) {
    return doubt_set (doubt, DATAHUB_FINDING_CONSUMER_DEAD, i, incarnation,
        "Row %u has no owner, but is not clean.", i);
  }
  doubt_set (doubt, DATAHUB_FINDING_CONSUMER_DEAD, i, incarnation,
      "The consumer \"%s\" (process %d, row %u) is dead; its row is not clean "
      "(records it holds: %u).",
      info.name, info.pid, i, info.pins);
  doubt->finding.for_ns = block_age_of (block, info.cursor);
  return true;
}

static void
name_lock (const UserLock *lock, uint32_t i,
    char text[DATAHUB_SPINLOCK_NAME_MAX + 16])
{
  char name[DATAHUB_SPINLOCK_NAME_MAX];
  lock_registry_read_name (lock, name);
  snprintf (text, DATAHUB_SPINLOCK_NAME_MAX + 16, name[0] ? "%u (%s)" : "%u", i,
      name);
}

static bool
check_lock (Scan *scan, uint32_t i, Doubt *doubt)
{
  const Block *block = &scan->block;
  const UserLock *lock = &block->wake->user_locks[i];
  uint64_t owner = load_seq (&lock->owner);
  uint32_t contended = load_seq (&lock->contended);
  char name[DATAHUB_SPINLOCK_NAME_MAX + 16];
  LockOwner kind = lock_owner_of (block, owner);
  if (contended > 1)
    return doubt_set (doubt, DATAHUB_FINDING_LOCK_WORD, i, contended,
        "The word contended of user lock %u is %u.", i, contended);
  if (kind == LOCK_OWNER_NONE || kind == LOCK_OWNER_ALIVE
      || kind == LOCK_OWNER_ABANDONED || load_seq (&lock->owner) != owner)
    return false;
  name_lock (lock, i, name);
  if (kind == LOCK_OWNER_NOBODY)
    return doubt_set (doubt, DATAHUB_FINDING_LOCK_WORD, i, owner,
        "User lock %s is held by participant %u, which does not exist.", name,
        OWNER_PARTICIPANT (owner));
  if (OWNER_PARTICIPANT (owner) == PARTICIPANT_PRODUCER)
    return doubt_set (doubt, DATAHUB_FINDING_LOCK_OWNER_DEAD, i, owner,
        "User lock %s is still held by the producer, which is dead (thread "
        "%u): what it guards may be half changed.",
        name, OWNER_THREAD (owner));
  return doubt_set (doubt, DATAHUB_FINDING_LOCK_OWNER_DEAD, i, owner,
      "User lock %s is still held by the consumer of row %u, which is dead "
      "(thread %u): what it guards may be half changed.",
      name, OWNER_PARTICIPANT (owner) - PARTICIPANT_ROW, OWNER_THREAD (owner));
}

/* Whether a process is changing the names now. */
static bool
names_are_changing (const Block *block)
{
  return load_seq (&block->wake->registry_dirty)
      || !os_lock_is_free (block->lck, LOCK_BYTE_REGISTRY);
}

static bool
check_names_dirty (Scan *scan, uint32_t index, Doubt *doubt)
{
  const Block *block = &scan->block;
  uint32_t dirty = load_seq (&block->wake->registry_dirty);
  if (!dirty || !os_lock_is_free (block->lck, LOCK_BYTE_REGISTRY)
      || load_seq (&block->wake->registry_dirty) != dirty)
    return false;
  return doubt_set (doubt, DATAHUB_FINDING_NAMES_DIRTY, 0, dirty,
      "A process died while it changed the names of the user locks; they are "
      "repaired when a lock is next opened by name.");
}

static bool
check_name (Scan *scan, uint32_t i, Doubt *doubt)
{
  const Block *block = &scan->block;
  const UserLock *locks = block->wake->user_locks;
  char name[DATAHUB_SPINLOCK_NAME_MAX], other[DATAHUB_SPINLOCK_NAME_MAX];
  uint64_t raw = load_seq (&locks[i].name[0]);
  if (names_are_changing (block))
    return false;
  lock_registry_read_name (&locks[i], name);
  if (!name[0])
    return raw
        && doubt_set (doubt, DATAHUB_FINDING_LOCK_NAME, i, raw,
            "The name of user lock %u is not a valid name.", i);
  for (uint32_t k = 0; k < i; k++) {
    lock_registry_read_name (&locks[k], other);
    if (strcmp (name, other) == 0)
      return doubt_set (doubt, DATAHUB_FINDING_LOCK_NAME, i, raw,
          "User locks %u and %u have the same name, %s.", k, i, name);
  }
  return false;
}

void
scan_rows (Scan *scan)
{
  scan_examine (scan, check_bell, 0);
  for (uint32_t i = 0; i < scan->block.g.max_rows; i++) {
    scan_examine (scan, check_row, i);
    scan_examine (scan, check_mail, i);
    scan_examine (scan, check_pins, i);
    scan_examine (scan, check_dead_row, i);
  }
}

void
scan_locks (Scan *scan)
{
  scan_examine (scan, check_names_dirty, 0);
  for (uint32_t i = 0; i < N_USER_LOCKS; i++) {
    scan_examine (scan, check_lock, i);
    scan_examine (scan, check_name, i);
  }
}
