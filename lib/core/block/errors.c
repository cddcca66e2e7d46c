/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reading the distinct errors of a producer from outside.
 *
 * An entry is written between two stores of its turn, which is odd meanwhile. A
 * reader copies the words between two loads of the turn and discards the copy
 * unless both are the same even number. So no torn entry is returned; an entry
 * stays invisible if its writer was killed, until a successor uses it again.
 *
 * Words are stored with release and loaded with acquire, which orders each behind
 * the turn before it.
 * Models: tests/model/errors.pml.
 * Tests: core-errors, core-hostile-fields */
#include "errors-private.h"
#include "core/base/result-private.h"

#include <string.h>

#define READ_TRIES 10

/* Terminates the text and replaces all that is not printable ASCII: it is
 * harmless for terminals and logs. */
void
error_text_clean (char text[DATAHUB_BLOCK_ERROR_TEXT_MAX])
{
  text[DATAHUB_BLOCK_ERROR_TEXT_MAX - 1] = 0;
  for (char *c = text; *c; c++)
    if (*c < ' ' || *c > '~')
      *c = '?';
}

/* Copies the words of an entry. False: the entry changed meanwhile, is being
 * written, or was never used. */
static bool
copy_entry (const ErrorEntry *entry, DatahubBlockError *error)
{
  uint32_t turn = load_acquire (&entry->turn); /* X4 */
  if (turn == 0 || turn % 2)
    return false;
  memset (error, 0, sizeof *error);
  error->code = (DatahubResult) load_acquire (&entry->code); /* X5 */
  error->count = load_acquire (&entry->count);
  error->first_ns = load_acquire (&entry->first_ns);
  error->last_ns = load_acquire (&entry->last_ns);
  for (uint32_t i = 0; i < ERROR_TEXT_WORDS; i++) {
    uint64_t word = load_acquire (&entry->text[i]);
    memcpy (error->text + i * 8, &word, 8);
  }
  return load_acquire (&entry->turn) == turn; /* X6 */
}

/* False also for values that no producer writes. The times are its claims:
 * CLOCK_REALTIME may be set back. */
bool
error_entry_read (const ErrorEntry *entry, DatahubBlockError *error)
{
  for (int i = 0; i < READ_TRIES; i++) {
    if (!copy_entry (entry, error))
      continue;
    error_text_clean (error->text);
    return error->code > 0 && (uint32_t) error->code <= ERROR_CODE_MAX
        && error->count > 0;
  }
  return false;
}

/* The errors of a block, the newest first. */
uint32_t
block_read_errors (const Block *block, DatahubBlockError errors[N_ERRORS])
{
  uint32_t n = 0;
  for (uint32_t i = 0; i < N_ERRORS && block->errors; i++) {
    DatahubBlockError error;
    uint32_t k = n;
    if (!error_entry_read (&block->errors[i], &error))
      continue;
    for (; k > 0 && errors[k - 1].last_ns < error.last_ns; k--)
      errors[k] = errors[k - 1];
    errors[k] = error;
    n++;
  }
  return n;
}

DatahubResult
datahub_block_inspect_errors (const char *channel, DatahubBlockError *errors,
    uint32_t max_errors, uint32_t *n_errors, DatahubError *error)
{
  DatahubBlockError found[N_ERRORS];
  Block block;
  DatahubResult result;
  result_begin (error);
  *n_errors = 0;
  result = block_open (&block, channel, ACCESS_OBSERVE, error);
  if (result == DATAHUB_OK) {
    uint32_t n = block_read_errors (&block, found);
    *n_errors = n < max_errors ? n : max_errors;
    memcpy (errors, found, *n_errors * sizeof found[0]);
    block_release (&block);
  }
  return result_end (error, result);
}
