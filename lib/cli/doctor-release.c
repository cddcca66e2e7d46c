/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `datahub doctor NAME --release THING`: releases one thing that a dead process
 * holds. */
#include "doctor.h"

#include <string.h>

/* Reads "N" or "N/M" in full. */
static gboolean
read_numbers (const char *text, guint32 *first, guint32 *second)
{
  g_auto (GStrv) parts = g_strsplit (text, "/", 2);
  guint32 *numbers[] = { first, second };

  if (g_strv_length (parts) != (second ? 2 : 1))
    return FALSE;
  for (guint i = 0; parts[i]; i++) {
    guint64 value;
    if (!g_ascii_string_to_unsigned (parts[i], 10, 0, G_MAXUINT32, &value,
            NULL))
      return FALSE;
    *numbers[i] = (guint32) value;
  }
  return TRUE;
}

/* A user lock by its index or its name. */
static gboolean
read_lock (const char *text, const DatahubDiagnosis *diagnosis, guint32 *index)
{
  for (guint i = 0; i < DATAHUB_N_SPINLOCKS; i++)
    if (*text && strcmp (diagnosis->locks[i].stats.name, text) == 0) {
      *index = i;
      return TRUE;
    }
  return read_numbers (text, index, NULL);
}

static gboolean
read_thing (const char *text, const DatahubDiagnosis *diagnosis,
    DatahubHeldThing *thing)
{
  const char *colon = strchr (text, ':');

  if (!colon)
    return FALSE;
  if (g_str_has_prefix (text, "row:")) {
    thing->kind = DATAHUB_HELD_ROW;
    return read_numbers (colon + 1, &thing->row, NULL);
  }
  if (g_str_has_prefix (text, "record:")) {
    thing->kind = DATAHUB_HELD_RECORD;
    return read_numbers (colon + 1, &thing->row, &thing->record);
  }
  if (g_str_has_prefix (text, "slot:")) {
    thing->kind = DATAHUB_HELD_SLOT;
    return read_numbers (colon + 1, &thing->pool, &thing->slot);
  }
  if (g_str_has_prefix (text, "lock:")) {
    thing->kind = DATAHUB_HELD_LOCK;
    return read_lock (colon + 1, diagnosis, &thing->lock);
  }
  return FALSE;
}

/* Names the holder that was seen, so that the release fails if there is another
 * by now. */
static void
name_holder (const DatahubDiagnosis *diagnosis, DatahubHeldThing *thing)
{
  if (thing->kind == DATAHUB_HELD_LOCK && thing->lock < DATAHUB_N_SPINLOCKS)
    thing->holder = diagnosis->locks[thing->lock].owner;
  for (guint i = 0; i < diagnosis->n_rows; i++)
    if ((thing->kind == DATAHUB_HELD_ROW || thing->kind == DATAHUB_HELD_RECORD)
        && diagnosis->rows[i].info.row == thing->row)
      thing->holder = diagnosis->rows[i].info.id;
}

/* Releases the thing that @text names. Returns an exit code. */
int
doctor_release (const char *channel, const char *text)
{
  DatahubHeldThing thing;
  DatahubDiagnosis *diagnosis = NULL;
  DatahubError error = { 0 };
  DatahubResult result =
      datahub_block_diagnose (channel, NULL, NULL, NULL, &diagnosis, &error);
  gboolean known;

  datahub_held_thing_init (&thing, DATAHUB_HELD_ROW);
  known = result == DATAHUB_OK && read_thing (text, diagnosis, &thing);
  if (known)
    name_holder (diagnosis, &thing);
  datahub_diagnosis_free (diagnosis);
  if (result == DATAHUB_OK && !known)
    return cli_fail (CLI_USAGE,
        "\"%s\" names nothing: expected row:ROW, record:ROW/PLACE, "
        "slot:POOL/SLOT or lock:LOCK, as shown by datahub inspect --slots",
        text);
  if (result == DATAHUB_OK)
    result = datahub_block_release (channel, &thing, &error);
  if (result != DATAHUB_OK)
    return cli_fail (CLI_FAILED, "%s", error.message);
  g_autofree char *safe = cli_safe (text);
  g_print ("Released: %s.\n", safe);
  return CLI_OK;
}
