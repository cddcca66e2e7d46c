/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Notes distinct errors in the block, where they can be read from outside without
 * a broker; also those of the program, which only the bus or a log shows.
 *
 * The state is private; the block has a copy of it (block/errors.c describes the
 * protocol of an entry). A producer that is killed at any step leaves at most the
 * entry that it was writing invisible.
 * Models: tests/model/errors.pml.
 * Tests: core-errors */
#include "error-log-private.h"
#include "producer-private.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void
error_log_init (ErrorLog *log)
{
  pthread_mutex_init (&log->lock, NULL);
}

/* The block is new, or was adopted: then its errors are continued. An entry that
 * makes no sense, or is half written, counts as not in use. */
void
error_log_start (ErrorLog *log, const Block *block)
{
  log->entries = block->errors;
  memset (log->own, 0, sizeof log->own);
  for (uint32_t i = 0; i < N_ERRORS && log->entries; i++)
    if (!error_entry_read (&log->entries[i], &log->own[i]))
      log->own[i].count = 0;
}

static void
store_entry (ErrorEntry *entry, const DatahubBlockError *error)
{
  uint32_t turn = load_relaxed (&entry->turn) | 1; /* may be odd already */
  store_relaxed (&entry->turn, turn); /* X1 */
  STEP (X1_ERROR_BEGUN);
  store_release (&entry->code, (uint32_t) error->code); /* X2 */
  store_release (&entry->count, error->count);
  STEP (X2_ERROR_COUNTED);
  store_release (&entry->first_ns, error->first_ns);
  store_release (&entry->last_ns, error->last_ns);
  for (uint32_t i = 0; i < ERROR_TEXT_WORDS; i++) {
    uint64_t word;
    memcpy (&word, error->text + i * 8, 8);
    store_release (&entry->text[i], word);
  }
  STEP (X2_ERROR_FILLED);
  store_release (&entry->turn, turn + 1); /* X3 */
  STEP (X3_ERROR_STORED);
}

/* The entry of that error; else one that is not in use; else that with the oldest
 * last time. */
static DatahubBlockError *
find_entry (ErrorLog *log, DatahubResult code, const char *text)
{
  DatahubBlockError *oldest = &log->own[0];
  for (uint32_t i = 0; i < N_ERRORS; i++) {
    DatahubBlockError *own = &log->own[i];
    if (own->count && own->code == code && strcmp (own->text, text) == 0)
      return own;
    if (oldest->count && (!own->count || own->last_ns < oldest->last_ns))
      oldest = own;
  }
  oldest->count = 0;
  return oldest;
}

static void
note (ErrorLog *log, DatahubResult code, const char *text)
{
  uint64_t now = os_wall_clock ();
  DatahubBlockError *own;
  pthread_mutex_lock (&log->lock);
  own = find_entry (log, code, text);
  if (own->count == 0) {
    *own = (DatahubBlockError){ .code = code, .first_ns = now };
    strcpy (own->text, text);
  }
  own->count++;
  own->last_ns = now;
  if (log->entries)
    store_entry (&log->entries[own - log->own], own);
  pthread_mutex_unlock (&log->lock);
}

void
error_log_note (ErrorLog *log, DatahubResult code, const char *format, ...)
{
  char text[DATAHUB_BLOCK_ERROR_TEXT_MAX] = { 0 };
  va_list args;
  va_start (args, format);
  vsnprintf (text, sizeof text, format, args);
  va_end (args);
  error_text_clean (text);
  note (log, code, text);
}

/* An error of the consumer in @row, which is named as it named itself. */
void
error_log_note_row (ErrorLog *log, DatahubResult code, const Block *block,
    uint32_t row, const char *what)
{
  char name[DATAHUB_CONSUMER_NAME_MAX];
  row_read_name (block_row (block, row), name);
  error_log_note (log, code, "Consumer \"%s\" (row %u) %s.", name, row, what);
}

void
datahub_producer_note_error (DatahubProducer *producer, DatahubResult code,
    const char *text)
{
  if (producer->generation != os_generation () || code <= DATAHUB_OK
      || (uint32_t) code > ERROR_CODE_MAX)
    return;
  error_log_note (&producer->errors, code, "%s", text);
}
