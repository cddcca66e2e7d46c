/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Completion of tasks. A task, which may hold the last reference to the hub, is
 * released in the context of its caller and never in the hub's thread. So when
 * the last reference is released, the hub's thread can be joined.
 * Tests: hub-questions, hub-loss */
#include "control/wire/control-log-private.h"
#include "hub-wait-private.h"

typedef struct
{
  GTask *task; /* owned */
  gpointer result; /* owned */
  GDestroyNotify free_func;
  GError *error; /* owned */
} Answer;

static void
answer_free (gpointer data)
{
  Answer *answer = data;

  if (answer->result && answer->free_func)
    answer->free_func (answer->result);
  g_clear_error (&answer->error);
  g_object_unref (answer->task);
  g_free (answer);
}

static gboolean
give (gpointer data)
{
  Answer *answer = data;

  if (answer->error)
    g_task_return_error (answer->task, g_steal_pointer (&answer->error));
  else
    g_task_return_pointer (answer->task, g_steal_pointer (&answer->result),
        answer->free_func);
  return G_SOURCE_REMOVE;
}

/* Ends @task with @result or @error; takes all three. */
void
hub_task_return (GTask *task, gpointer result, GDestroyNotify free_func,
    GError *error)
{
  Answer *answer = g_new0 (Answer, 1);
  GSource *source = g_idle_source_new ();
  /* The asker may be answered and gone, its context with it, before the last
   * line here, which still needs that. */
  g_autoptr (GMainContext) context =
      g_main_context_ref (g_task_get_context (task));

  answer->task = task;
  answer->result = result;
  answer->free_func = free_func;
  answer->error = error;
  g_source_set_priority (source, g_task_get_priority (task));
  g_source_set_callback (source, give, answer, answer_free);
  g_source_attach (source, context);
  g_source_unref (source);
}
