/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "hostile-reader.h"

#include "fixture.h"

#include <string.h>

void
touch (const DatahubView *view)
{
  volatile uint64_t sum = 0;
  CHECK_INT (view->n_memories, <=, DATAHUB_MAX_MEMORIES);
  for (uint32_t i = 0; i < view->n_memories; i++)
    for (uint64_t j = 0; j < view->memories[i].size; j++)
      sum += view->memories[i].data[j];
  for (uint32_t j = 0; j < view->meta_size; j++)
    sum += ((const uint8_t *) view->meta)[j];
  (void) sum;
}

/* Ordinary outcomes need no words; failures are told in a sentence. */
static bool
went_well (DatahubResult result)
{
  if (strcmp (datahub_result_name (result), "unknown") == 0)
    check_fail (__FILE__, __LINE__, "an outcome without a name: %d", result);
  if (result >= DATAHUB_ERROR_FIRST && !err.message[0])
    check_fail (__FILE__, __LINE__, "%s, without a word",
        datahub_result_name (result));
  err.message[0] = 0;
  return result == DATAHUB_OK;
}

static void
devour_contexts (DatahubConsumer *consumer, const DatahubView *of)
{
  DatahubView view;
  for (int c = 0; c < DATAHUB_N_CONTEXTS; c++) {
    DatahubResult result = datahub_consumer_get_context (consumer, of,
        (DatahubContext) c, &view, &err);
    if (result == DATAHUB_OK)
      touch (&view);
    else if (result != DATAHUB_ERROR_NOT_FOUND)
      went_well (result);
  }
}

uint32_t
devour (DatahubConsumer *consumer, uint32_t n)
{
  DatahubView view;
  uint32_t read = 0;
  for (uint32_t i = 0; i < n; i++) {
    DatahubResult result =
        datahub_consumer_begin_read (consumer, 0, &view, &err);
    if (result == DATAHUB_EVICTED)
      went_well (datahub_consumer_rejoin (consumer, &err));
    if (result < DATAHUB_ERROR_FIRST && result != DATAHUB_OK)
      return read;
    if (!went_well (result))
      continue;
    read++;
    touch (&view);
    devour_contexts (consumer, &view);
    datahub_consumer_end_read (consumer, &view);
  }
  return read;
}

static void
exercise_sticky (DatahubConsumer *consumer)
{
  DatahubView view;
  for (int type = DATAHUB_RECORD_STREAM_START; type <= DATAHUB_RECORD_EOS;
       type++) {
    DatahubResult result = datahub_consumer_read_sticky (consumer,
        (DatahubRecordType) type, &view, &err);
    if (result != DATAHUB_OK)
      continue;
    touch (&view);
    devour_contexts (consumer, &view);
    datahub_consumer_end_read (consumer, &view);
  }
}

static void
exercise_zones (DatahubConsumer *consumer)
{
  uint64_t size = datahub_consumer_get_zone_size (consumer), version;
  uint8_t bytes[64];
  went_well (datahub_consumer_read_zone (consumer, 0, bytes,
      size < sizeof bytes ? size : sizeof bytes, &version, &err));
  if (size > sizeof bytes)
    went_well (datahub_consumer_read_zone (consumer, size - sizeof bytes, bytes,
        sizeof bytes, &version, &err));
  volatile uint8_t *shared = datahub_consumer_get_shared_zone (consumer, &size);
  for (uint64_t at = 0; shared && at < size; at += 64)
    shared[at] = shared[at];
  if (shared)
    shared[size - 1] = shared[size - 1];
}

static void
exercise_locks (DatahubConsumer *consumer)
{
  DatahubSpinlock *lock;
  DatahubSpinlockStats stats;
  for (int i = 0; i < 2; i++) {
    DatahubResult result = i
        ? datahub_consumer_open_named_spinlock (consumer, "name", &lock, &err)
        : datahub_consumer_open_spinlock (consumer, 0, &lock, &err);
    if (!went_well (result) && result != DATAHUB_OWNER_DIED)
      continue;
    datahub_spinlock_lock (lock, 0);
    datahub_spinlock_get_stats (lock, &stats);
    datahub_spinlock_unlock (lock);
    datahub_spinlock_close (lock);
  }
}

static uint32_t
exercise_consumer (const char *channel, bool reliable, DatahubStart start)
{
  DatahubConsumerOptions options;
  DatahubConsumer *consumer;
  DatahubConsumerStats stats;
  uint32_t read;
  datahub_consumer_options_init (&options);
  options.reliable = reliable;
  options.start = start;
  if (!went_well (datahub_consumer_attach (channel, &options, &consumer, &err)))
    return 0;
  read = devour (consumer, 40);
  exercise_sticky (consumer);
  exercise_zones (consumer);
  exercise_locks (consumer);
  datahub_consumer_get_stats (consumer, &stats);
  datahub_consumer_close (consumer);
  return read;
}

static void
note_finding (const DatahubFinding *finding, void *user_data)
{
  CHECK (finding->kind < DATAHUB_N_FINDINGS && finding->message[0]);
  CHECK (memchr (finding->message, 0, sizeof finding->message) != NULL);
}

static void
note_repair (const DatahubRepair *action, void *user_data)
{
  CHECK (memchr (action->message, 0, sizeof action->message) != NULL);
}

void
hostile_read_repair (const char *channel)
{
  uint32_t n;
  went_well (datahub_block_repair (channel, DATAHUB_REPAIR_DRY_RUN, 0,
      note_repair, NULL, &n, &err));
  went_well (datahub_block_repair (channel, DATAHUB_REPAIR_CLOSE_DEAD, 0,
      note_repair, NULL, &n, &err));
}

void
hostile_read_integrity (const char *channel)
{
  DatahubIntegrityReport report;
  DatahubDiagnosis *diagnosis = NULL;
  went_well (datahub_block_validate (channel, DATAHUB_VALIDATE_CHECKSUMS,
      note_finding, NULL, &report, &err));
  went_well (datahub_block_diagnose (channel, NULL, note_finding, NULL,
      &diagnosis, &err));
  datahub_diagnosis_free (diagnosis);
}

static void
check_info (const DatahubBlockInfo *info)
{
  CHECK (memchr (info->caps, 0, sizeof info->caps) != NULL);
  CHECK (memchr (info->boot_id, 0, sizeof info->boot_id) != NULL);
  CHECK_INT (info->share, <=, info->n_records);
  CHECK_INT (info->share_consumers, <=, info->max_consumers);
}

static void
read_errors (const char *channel)
{
  DatahubBlockError errors[DATAHUB_MAX_BLOCK_ERRORS];
  uint32_t n;
  if (!went_well (datahub_block_inspect_errors (channel, errors,
          DATAHUB_MAX_BLOCK_ERRORS, &n, &err)))
    return;
  CHECK_INT (n, <=, DATAHUB_MAX_BLOCK_ERRORS);
  for (uint32_t i = 0; i < n; i++) {
    CHECK (errors[i].count > 0 && errors[i].code > 0);
    CHECK (memchr (errors[i].text, 0, sizeof errors[i].text) != NULL);
    for (const char *c = errors[i].text; *c; c++)
      CHECK (*c >= ' ' && *c <= '~');
  }
}

uint32_t
hostile_read (const char *channel)
{
  DatahubBlockInfo info;
  DatahubConsumerInfo infos[4];
  uint32_t n;
  if (went_well (datahub_block_inspect (channel, &info, &err)))
    check_info (&info);
  went_well (datahub_block_inspect_consumers (channel, infos, 4, &n, &err));
  read_errors (channel);
  n = exercise_consumer (channel, false, DATAHUB_START_OLDEST);
  n += exercise_consumer (channel, true, DATAHUB_START_OLDEST);
  return n + exercise_consumer (channel, false, DATAHUB_START_KEYFRAME);
}
