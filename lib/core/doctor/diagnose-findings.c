/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Findings from the comparison of two snapshots of a block: the participants
 * that made no progress between them, and for how long.
 * Tests: core-diagnose, cli-doctor */
#include "integrity-private.h"

#include <stdio.h>

/* All other users of a lock wait while it is held: a longer hold causes a
 * warning. */
#define HOLD_WARNING_NS (100 * NS_PER_MS)
/* A consumer that had data available but read nothing for this long is stalled.
 * It is long enough for a busy machine, on which a program may not run for a
 * while. */
#define STALL_NS (NS_PER_S / 2)
/* More, and older ones, are listed by `datahub inspect`. */
#define ERRORS_TOLD_MAX 8u
#define ERRORS_TOLD_MINUTES 60.0

static double
seconds (int64_t ns)
{
  return (double) ns / NS_PER_S;
}

static const DatahubRowInfo *
row_before (const DatahubDiagnosis *before, const DatahubRowInfo *row)
{
  for (uint32_t i = 0; i < before->n_rows; i++)
    if (before->rows[i].info.id == row->info.id)
      return &before->rows[i];
  return NULL;
}

/* Had it something to read at the earlier look, and has not read it? */
static bool
stood_still (const DatahubRowInfo *was, const DatahubRowInfo *is)
{
  return was->behind > 0 && was->info.cursor == is->info.cursor
      && was->info.received == is->info.received;
}

static void
compare_records (DatahubDiagnosis *now, const DatahubDiagnosis *before)
{
  for (uint32_t i = 0; i < now->n_records && i < before->n_records; i++) {
    const DatahubRecordInfo *was = &before->records[i];
    DatahubRecordInfo *is = &now->records[i];
    if (is->n_holders && is->holder == was->holder
        && is->sequence == was->sequence)
      is->held_ns = was->held_ns + now->watched_ns;
    for (uint32_t r = 0; r < now->n_rows && is->held_ns; r++)
      if (now->rows[r].info.row == is->holder
          && now->rows[r].held_ns < is->held_ns)
        now->rows[r].held_ns = is->held_ns;
  }
  for (uint32_t i = 0; i < now->n_slots && i < before->n_slots; i++) {
    const DatahubSlotInfo *was = &before->slots[i];
    DatahubSlotInfo *is = &now->slots[i];
    if (is->holder != DATAHUB_NO_ROW && is->holder == was->holder
        && is->pool == was->pool && is->slot == was->slot
        && is->sequence == was->sequence)
      is->held_ns = was->held_ns + now->watched_ns;
  }
}

/* Adds up the times of @now, which is of the same block as @before. */
void
diagnosis_compare (DatahubDiagnosis *now, const DatahubDiagnosis *before)
{
  now->watched_ns = now->at_ns - before->at_ns;
  if (now->watched_ns < 0)
    now->watched_ns = 0;
  for (uint32_t i = 0; i < now->n_rows; i++) {
    DatahubRowInfo *is = &now->rows[i];
    const DatahubRowInfo *was = row_before (before, is);
    if (was && stood_still (was, is))
      is->still_ns = was->still_ns + now->watched_ns;
  }
  compare_records (now, before);
  for (uint32_t i = 0; i < DATAHUB_N_SPINLOCKS; i++) {
    const DatahubLockInfo *was = &before->locks[i];
    DatahubLockInfo *is = &now->locks[i];
    if (is->stats.locked && is->owner == was->owner
        && is->stats.acquisitions == was->stats.acquisitions)
      is->held_ns = was->held_ns + now->watched_ns;
  }
}

typedef struct
{
  const DatahubDiagnosis *now;
  DatahubFindingFunc func;
  void *user_data;
} Teller;

static void
tell (const Teller *teller, Doubt *doubt, int64_t for_ns)
{
  doubt->finding.for_ns = for_ns;
  if (teller->func)
    teller->func (&doubt->finding, teller->user_data);
}

/* The reliable consumer that needs the oldest record. */
static const DatahubRowInfo *
find_blocker (const DatahubDiagnosis *now)
{
  const DatahubRowInfo *found = NULL;
  for (uint32_t i = 0; i < now->n_rows; i++) {
    const DatahubRowInfo *row = &now->rows[i];
    if (row->info.reliable && row->info.state == DATAHUB_CONSUMER_ACTIVE
        && (!found || row->info.cursor < found->info.cursor))
      found = row;
  }
  return found;
}

static void
tell_producer (const Teller *teller, const DatahubDiagnosis *before)
{
  const DatahubDiagnosis *now = teller->now;
  const DatahubRowInfo *blocker = find_blocker (now);
  char whom[96] = "the holders of its slots";
  Doubt doubt;
  if (now->dropped > before->dropped) {
    doubt_set (&doubt, DATAHUB_FINDING_PRODUCER_DROPS, 0, 0,
        "The producer dropped %llu buffers in the last %.1f s: every slot was "
        "held, and max-bytes allows no more.",
        (unsigned long long) (now->dropped - before->dropped),
        seconds (now->watched_ns));
    tell (teller, &doubt, now->watched_ns);
  }
  if (now->producer_alive && now->silent_ns > DATAHUB_STALLED_NS) {
    doubt_set (&doubt, DATAHUB_FINDING_PRODUCER_SILENT, 0, 0,
        "The producer is alive, but shows no activity: it is stopped, hangs, "
        "or has nothing to do.");
    tell (teller, &doubt, now->silent_ns);
  }
  if (!now->producer_alive || !now->producer_waits || !before->producer_waits
      || now->head != before->head)
    return;
  if (blocker)
    snprintf (whom, sizeof whom, "the reliable consumer \"%s\" (process %d)",
        blocker->info.name, blocker->info.pid);
  doubt_set (&doubt, DATAHUB_FINDING_PRODUCER_WAITS,
      blocker ? blocker->info.row : 0, 0,
      "The producer waits for space, and committed nothing between the "
      "snapshots: it waits for %s.",
      whom);
  tell (teller, &doubt, now->idle_ns);
}

static void
tell_stall (const Teller *teller, const DatahubRowInfo *row)
{
  const DatahubConsumerInfo *info = &row->info;
  int64_t for_ns =
      row->waiting_ns > row->still_ns ? row->waiting_ns : row->still_ns;
  Doubt doubt;
  doubt_set (&doubt, DATAHUB_FINDING_CONSUMER_STALLED, info->row, 0,
      "The %s consumer \"%s\" (process %d, row %u) is alive%s, but does not "
      "read: %llu behind (records it holds: %u).",
      info->reliable ? "reliable" : "live", info->name, info->pid, info->row,
      info->stalled ? ", shows no activity" : "",
      (unsigned long long) row->behind, info->pins);
  /* a live consumer blocks no other program, except by the records it holds */
  if (!info->reliable)
    doubt.finding.severity = DATAHUB_SEVERITY_NOTE;
  tell (teller, &doubt, for_ns);
}

/* A consumer that holds as much as it may copies each further buffer. */
static void
tell_copies (const Teller *teller, const DatahubConsumerInfo *was,
    const DatahubConsumerInfo *is)
{
  uint64_t copies = is->over_quota - was->over_quota;
  uint64_t all = is->received - was->received;
  Doubt doubt;
  if (is->over_quota <= was->over_quota)
    return;
  if (all < copies)
    all = copies; /* the words are not loaded at one instant */
  doubt_set (&doubt, DATAHUB_FINDING_CONSUMER_COPIES, is->row, 0,
      "The consumer \"%s\" (process %d, row %u) had to copy %llu of %llu buffers "
      "in the last %.1f s: it may hold %u.",
      is->name, is->pid, is->row, (unsigned long long) copies,
      (unsigned long long) all, seconds (teller->now->watched_ns), is->quota);
  tell (teller, &doubt, teller->now->watched_ns);
}

static void
tell_row (const Teller *teller, const DatahubRowInfo *was,
    const DatahubRowInfo *is)
{
  const DatahubConsumerInfo *info = &is->info;
  Doubt doubt;
  if (!info->alive)
    return; /* datahub_block_validate() reports dead consumers */
  if (info->state == DATAHUB_CONSUMER_ACTIVE && is->still_ns >= STALL_NS)
    tell_stall (teller, is);
  if (info->state == DATAHUB_CONSUMER_EVICTED
      && was->info.state == DATAHUB_CONSUMER_EVICTED) {
    doubt_set (&doubt, DATAHUB_FINDING_CONSUMER_EVICTED, info->row, 0,
        "The reliable consumer \"%s\" (process %d, row %u) blocked the "
        "producer for longer than block-timeout, was evicted, and has not "
        "joined again.",
        info->name, info->pid, info->row);
    tell (teller, &doubt, is->waiting_ns);
  }
  if (info->state == DATAHUB_CONSUMER_LEAVING && is->held_ns >= STALL_NS) {
    doubt_set (&doubt, DATAHUB_FINDING_LEASES_KEPT, info->row, 0,
        "A consumer of process %d (\"%s\", row %u) was closed, but the program "
        "still holds %u of its records.",
        info->pid, info->name, info->row, info->pins);
    /* after the end it is as it should be: a sink shows its last picture */
    if (!teller->now->producer_alive)
      doubt.finding.severity = DATAHUB_SEVERITY_NOTE;
    tell (teller, &doubt, is->held_ns);
  }
  tell_copies (teller, &was->info, info);
  if (info->lost > was->info.lost) {
    doubt_set (&doubt, DATAHUB_FINDING_CONSUMER_LOSES, info->row, 0,
        "The %s consumer \"%s\" (process %d, row %u) lost %llu buffers in the "
        "last %.1f s.",
        info->reliable ? "reliable" : "live", info->name, info->pid, info->row,
        (unsigned long long) (info->lost - was->info.lost),
        seconds (teller->now->watched_ns));
    tell (teller, &doubt, teller->now->watched_ns);
  }
}

static const char *
describe_holder (const DatahubDiagnosis *now, const DatahubLockInfo *lock,
    char text[96])
{
  snprintf (text, 96, "the consumer of row %u", lock->row);
  if (lock->holder == DATAHUB_HOLDER_PRODUCER)
    snprintf (text, 96, "the producer");
  for (uint32_t i = 0; i < now->n_rows; i++)
    if (now->rows[i].info.row == lock->row)
      snprintf (text, 96, "the consumer \"%s\" (process %d)",
          now->rows[i].info.name, now->rows[i].info.pid);
  return text;
}

static void
tell_lock (const Teller *teller, uint32_t i)
{
  const DatahubLockInfo *lock = &teller->now->locks[i];
  const char *name = lock->stats.name[0] ? lock->stats.name : "no name";
  char whom[96];
  Doubt doubt;
  if (lock->alive && lock->held_ns >= HOLD_WARNING_NS) {
    doubt_set (&doubt, DATAHUB_FINDING_LOCK_HELD, i, 0,
        "User lock %u (%s) is held by %s, thread %u, during the whole "
        "observation.",
        i, name, describe_holder (teller->now, lock, whom), lock->thread);
    tell (teller, &doubt, lock->held_ns);
  }
  if (lock->stats.max_hold_ns >= (uint64_t) HOLD_WARNING_NS) {
    doubt_set (&doubt, DATAHUB_FINDING_LOCK_SLOW, i, 0,
        "User lock %u (%s) was held for up to %.3f s; it was taken %llu times.",
        i, name, (double) lock->stats.max_hold_ns / NS_PER_S,
        (unsigned long long) lock->stats.acquisitions);
    tell (teller, &doubt, -1);
  }
}

static void
tell_table (const Teller *teller)
{
  const DatahubDiagnosis *now = teller->now;
  uint32_t alive = 0;
  Doubt doubt;
  for (uint32_t i = 0; i < now->n_rows; i++)
    alive += now->rows[i].info.alive;
  if (alive < now->max_rows)
    return;
  doubt_set (&doubt, DATAHUB_FINDING_TABLE_FULL, 0, 0,
      "All %u rows of the consumer table are in use: no more consumers can "
      "attach.",
      now->max_rows);
  tell (teller, &doubt, -1);
}

static double
minutes_since (uint64_t at_ns, uint64_t now_ns)
{
  return at_ns < now_ns ? (double) (now_ns - at_ns) / (60 * NS_PER_S) : 0;
}

/* Reports the newest errors that the producer noted within the last hour. */
static void
tell_errors (const Teller *teller)
{
  uint64_t now = os_wall_clock ();
  for (uint32_t i = 0; i < teller->now->n_errors && i < ERRORS_TOLD_MAX; i++) {
    const DatahubBlockError *error = &teller->now->errors[i];
    double last = minutes_since (error->last_ns, now);
    Doubt doubt;
    if (last > ERRORS_TOLD_MINUTES)
      return;
    doubt_set (&doubt, DATAHUB_FINDING_NOTED_ERROR, i, 0,
        "Noted %llu time%s, first %.1f min ago, last %.1f min ago: %s (%s)",
        (unsigned long long) error->count, error->count == 1 ? "" : "s",
        minutes_since (error->first_ns, now), last, error->text,
        datahub_result_name (error->code));
    tell (teller, &doubt, -1);
  }
}

/* Reports the problems of live participants; @before may be NULL. */
void
diagnosis_report (const DatahubDiagnosis *now, const DatahubDiagnosis *before,
    DatahubFindingFunc func, void *user_data)
{
  const Teller teller = { now, func, user_data };
  tell_table (&teller);
  tell_errors (&teller);
  for (uint32_t i = 0; i < DATAHUB_N_SPINLOCKS; i++)
    tell_lock (&teller, i);
  if (!before)
    return;
  tell_producer (&teller, before);
  for (uint32_t i = 0; i < now->n_rows; i++) {
    const DatahubRowInfo *was = row_before (before, &now->rows[i]);
    if (was)
      tell_row (&teller, was, &now->rows[i]);
  }
}
