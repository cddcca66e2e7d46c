/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The administrator reads in the log of the broker which key lacks which right. A hub
 * repeats what was refused, several times a second. So there is one line for each key
 * in a minute, and the next line has the number of those in between.
 * Tests: broker-denials */
#include "control/wire/control-log-private.h"
#include "denials-private.h"

#define PERIOD_US (60 * G_USEC_PER_SEC)
/* Strangers can make keys without end. */
#define MAX_KEYS 256

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

static gboolean
is_over (gpointer key, gpointer value, gpointer now_us)
{
  return *(const gint64 *) now_us - ((Denial *) value)->since_us >= PERIOD_US;
}

static Denial *
add (Denials *denials, const char *key, gint64 now_us)
{
  Denial *denial;

  if (g_hash_table_size (denials->keys) >= MAX_KEYS)
    g_hash_table_foreach_remove (denials->keys, is_over, &now_us);
  if (g_hash_table_size (denials->keys) >= MAX_KEYS)
    return NULL;
  denial = g_new0 (Denial, 1);
  denial->since_us = now_us - PERIOD_US;
  g_hash_table_insert (denials->keys, g_strdup (key), denial);
  return denial;
}

/* Returns whether this refusal of @key is to be logged. @others becomes the number of
 * those since the last line of this key. */
gboolean
denials_note (Denials *denials, const char *key, gint64 now_us, guint64 *others)
{
  Denial *denial = g_hash_table_lookup (denials->keys, key);

  if (!denial)
    denial = add (denials, key, now_us);
  if (!denial)
    return FALSE;
  if (now_us - denial->since_us < PERIOD_US) {
    denial->others++;
    return FALSE;
  }
  *others = denial->others;
  denial->others = 0;
  denial->since_us = now_us;
  return TRUE;
}

static char *
describe (const char *name, const char *right, const char *key)
{
  return name
      ? g_strdup_printf ("key %.8s… has no right to %s %s: add it to the "
                         "allow-list",
          key, right, name)
      : g_strdup_printf ("a client was refused: its key (%.8s…) is not on "
                         "the allow-list",
          key);
}

/* @name and @right NULL: to connect; @pid 0: not known. The public key is no secret: an
 * administrator copies it to the allow-list. */
void
denials_log (Denials *denials, const char *name, const char *right,
    const char *key, int pid)
{
  g_autofree char *pid_text = g_strdup_printf ("%d", pid);
  g_autofree char *text = describe (name, right, key);
  g_autofree char *more = NULL;
  guint64 others;

  if (!denials_note (denials, key, g_get_monotonic_time (), &others))
    return;
  if (others)
    more = g_strdup_printf (" (and %" G_GUINT64_FORMAT
                            " other refusals of this key since the last line)",
        others);
  g_log_structured (G_LOG_DOMAIN, G_LOG_LEVEL_MESSAGE, "DATAHUB_EVENT",
      "denied", "DATAHUB_NAME", name ? name : "*", "DATAHUB_RIGHT",
      right ? right : "connect", "DATAHUB_KEY", key, "DATAHUB_PID", pid_text,
      "MESSAGE", "%s%s", text, more ? more : "");
}
