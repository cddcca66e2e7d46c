/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A try of resources before GLib or libzmq takes them. Both end the process if
 * the system refuses a descriptor or a thread, and this process may be one that
 * plays media and works without a broker.
 * Tests: gst-limits */
#include "control-log-private.h"
#include "control-error-private.h"
#include "resources-private.h"

#include <datahub/resources.h>

/* Whether the system grants @descriptors and @threads now. @what is the part of
 * the library that needs them. */
gboolean
wire_try_resources (const char *what, guint descriptors, guint threads,
    GError **error)
{
  DatahubError refusal = { 0 };

  if (datahub_resources_try (descriptors, threads, &refusal) == DATAHUB_OK)
    return TRUE;
  return message_refuse (error, DATAHUB_HUB_ERROR_LIMIT, "%s cannot start: %s",
      what, refusal.message);
}

/* Returns a new thread; NULL if the system refuses it. */
GThread *
wire_start_thread (const char *name, GThreadFunc func, gpointer data,
    GError **error)
{
  g_autoptr (GError) refusal = NULL;
  GThread *thread = g_thread_try_new (name, func, data, &refusal);

  if (!thread)
    message_refuse (error, DATAHUB_HUB_ERROR_LIMIT, "%s: %s", name,
        refusal->message);
  return thread;
}
