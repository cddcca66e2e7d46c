/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "until.h"

#include "common/asleep.h"
#include "common/speed.h"

#include <datahub/block.h>
#include <gst/check/gstcheck.h>

#define LIMIT (20 * G_USEC_PER_SEC)

void
until_look_again (const gchar *condition, gint64 since)
{
  fail_if (speed_is_over (g_get_monotonic_time () - since, LIMIT),
      "in vain: %s", condition);
  g_usleep (1000); /* no event to wait for: between two looks */
}

static gboolean
is_named (const gchar *tid, const gchar *thread)
{
  g_autofree gchar *path = g_strdup_printf ("/proc/self/task/%s/comm", tid);
  g_autofree gchar *name = NULL;
  return g_file_get_contents (path, &name, NULL, NULL)
      && g_str_has_prefix (name, thread);
}

static gboolean
is_asleep (const gchar *thread)
{
  g_autoptr (GDir) dir = g_dir_open ("/proc/self/task", 0, NULL);
  const gchar *tid;
  fail_unless (dir != NULL);
  while ((tid = g_dir_read_name (dir)))
    if (is_named (tid, thread))
      return thread_state ((pid_t) g_ascii_strtoll (tid, NULL, 10)) == 'S';
  return FALSE;
}

void
until_asleep (const gchar *thread)
{
  UNTIL (is_asleep (thread));
}

static guint64
beat_of (const gchar *channel)
{
  DatahubConsumerInfo info;
  uint32_t n;
  fail_unless_equals_int (datahub_block_inspect_consumers (channel, &info, 1,
                              &n, NULL),
      DATAHUB_OK);
  fail_unless_equals_int (n, 1);
  return info.heartbeat_ns;
}

void
until_beats (const gchar *channel, guint n)
{
  for (guint i = 0; i < n; i++) {
    guint64 last = beat_of (channel);
    UNTIL (beat_of (channel) != last);
  }
}
