/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The administrator reads in the log of the broker which key lacks which right. A hub
 * repeats what was refused, several times a second. So there is one line for each key
 * in a minute, and the next line has the number of those in between.
 * Tests: broker-denials */
#include "control/wire/control-log-private.h"
#include "denials-private.h"

#include <string.h>

#define PERIOD_US (60 * G_USEC_PER_SEC)
/* Strangers can make keys without end. */
#define MAX_KEYS 256
/* All further keys together. */
#define REST "*"

typedef struct
{
  gint64 since_us; /* of the last line */
  guint64 others; /* since then */
} Denial;

void
denials_init (Denials *denials)
{
  denials->keys =
      g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
}

void
denials_clear (Denials *denials)
{
  g_clear_pointer (&denials->keys, g_hash_table_unref);
}

typedef struct
{
  gint64 now_us;
  guint64 others; /* of those that were removed */
} Sweep;

static gboolean
is_over (gpointer key, gpointer value, gpointer data)
{
  Denial *denial = value;
  Sweep *sweep = data;

  if (strcmp (key, REST) == 0 || sweep->now_us - denial->since_us < PERIOD_US)
    return FALSE;
  sweep->others += denial->others;
  return TRUE;
}

static void
sweep (Denials *denials, gint64 now_us)
{
  Sweep removed = { now_us, 0 };

  g_hash_table_foreach_remove (denials->keys, is_over, &removed);
  denials->removed += removed.others;
}

static Denial *
add (Denials *denials, const char *key, gint64 now_us)
{
  Denial *denial;

  if (g_hash_table_size (denials->keys) >= MAX_KEYS - 1)
    sweep (denials, now_us);
  if (g_hash_table_size (denials->keys) >= MAX_KEYS - 1
      && strcmp (key, REST) != 0)
    return NULL;
  denial = g_new0 (Denial, 1);
  denial->since_us = now_us - PERIOD_US;
  g_hash_table_insert (denials->keys, g_strdup (key), denial);
  return denial;
}

static Denial *
find (Denials *denials, const char *key, gint64 now_us)
{
  Denial *denial = g_hash_table_lookup (denials->keys, key);

  return denial ? denial : add (denials, key, now_us);
}

/* Returns the key of the line to log, "*" for those of more keys than are noted; NULL: no
 * line is due. @others becomes the number of refusals since the last line of it. */
const char *
denials_note (Denials *denials, const char *key, gint64 now_us, guint64 *others)
{
  Denial *denial = find (denials, key, now_us);

  if (!denial) {
    key = REST;
    denial = find (denials, key, now_us);
  }
  if (now_us - denial->since_us < PERIOD_US) {
    denial->others++;
    return NULL;
  }
  *others = denial->others;
  denial->others = 0;
  if (strcmp (key, REST) == 0) {
    *others += denials->removed;
    denials->removed = 0;
  }
  denial->since_us = now_us;
  return key;
}

static char *
describe (const Refusal *refusal, const char *key)
{
  const char *from = refusal->from ? refusal->from : "an unknown address";

  if (strcmp (key, REST) == 0)
    return g_strdup_printf ("clients with more than %d keys were refused in a "
                            "minute, this one from %s",
        MAX_KEYS - 1, from);
  if (!refusal->name)
    return g_strdup_printf ("a client was refused: its key %s is not on the "
                            "allow-list; it comes from %s",
        key, from);
  return g_strdup_printf ("key %s of %s has no right to %s %s: add it to the "
                          "allow-list",
      key, from, refusal->right, refusal->name);
}

static char *
describe_others (guint64 others)
{
  return others ? g_strdup_printf (" (and %" G_GUINT64_FORMAT
                                   " other refusals since the last line)",
             others)
                : g_strdup ("");
}

/* The public key is no secret: an administrator copies it to the allow-list. */
void
denials_log (Denials *denials, const Refusal *refusal)
{
  guint64 others;
  const char *key =
      denials_note (denials, refusal->key, g_get_monotonic_time (), &others);

  if (!key)
    return;
  g_autofree char *pid = g_strdup_printf ("%d", refusal->pid);
  g_autofree char *text = describe (refusal, key);
  g_autofree char *more = describe_others (others);
  g_log_structured (G_LOG_DOMAIN, G_LOG_LEVEL_MESSAGE, "DATAHUB_EVENT",
      "denied", "DATAHUB_NAME", refusal->name ? refusal->name : "*",
      "DATAHUB_RIGHT", refusal->right ? refusal->right : "connect",
      "DATAHUB_KEY", key, "DATAHUB_PID", pid, "DATAHUB_ADDRESS",
      refusal->from ? refusal->from : "", "MESSAGE", "%s%s", text, more);
}
