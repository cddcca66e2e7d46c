/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Listing all blocks, page by page.
 * Tests: hub-questions, hub-false-answers */
#include "control/wire/control-log-private.h"
#include "hub-core-private.h"
#include "hub-find-private.h"

#include <string.h>

/* A list with a timeout of 0 is asked for once; an answer may take this long. */
#define ONCE_US G_USEC_PER_SEC
#define MAX_PAGES 256

typedef struct
{
  HubCore *core; /* owned */
  GTask *task; /* owned until it is answered */
  GPtrArray *blocks; /* owned */
  gint64 deadline_us; /* -1: none */
  guint pages;
} List;

static void ask_page (List *list, const char *after);

static void
end_list (List *list, GError *error)
{
  if (error)
    g_clear_pointer (&list->blocks, g_ptr_array_unref);
  hub_task_return (list->task, list->blocks, (GDestroyNotify) g_ptr_array_unref,
      error);
  hub_core_unref (list->core);
  g_free (list);
}

/* "" is before all names. */
static const char *
last_name (const List *list)
{
  return list->blocks->len == 0
      ? ""
      : datahub_hub_block_get_name (g_ptr_array_index (list->blocks,
          list->blocks->len - 1));
}

static gboolean
read_page (List *list, json_t *reply, GError **error)
{
  size_t i;
  json_t *value;
  json_t *page = json_object_get (reply, "blocks");

  if (!json_is_array (page)) {
    g_set_error_literal (error, DATAHUB_HUB_ERROR, DATAHUB_HUB_ERROR_PROTOCOL,
        "the broker's answer has no list of blocks");
    return FALSE;
  }
  json_array_foreach (page, i, value)
  {
    DatahubHubBlock *block = hub_block_from_json (value, error);
    if (!block)
      return FALSE;
    gboolean rises =
        strcmp (last_name (list), datahub_hub_block_get_name (block)) < 0;
    g_ptr_array_add (list->blocks, block);
    if (!rises) {
      g_set_error (error, DATAHUB_HUB_ERROR, DATAHUB_HUB_ERROR_PROTOCOL,
          "the broker's list of blocks is not in order at %s",
          datahub_hub_block_get_name (block));
      return FALSE;
    }
  }
  return TRUE;
}

/* The names rise, so a page with a block is a step. Returns whether another page is to
 * come. */
static gboolean
has_more (List *list, json_t *reply, guint before, GError **error)
{
  if (!json_is_true (json_object_get (reply, "more"))
      || list->blocks->len == before)
    return FALSE;
  if (++list->pages < MAX_PAGES)
    return TRUE;
  g_set_error (error, DATAHUB_HUB_ERROR, DATAHUB_HUB_ERROR_PROTOCOL,
      "the broker's list of blocks has more than %d pages", MAX_PAGES);
  return FALSE;
}

static void
page_came (json_t *reply, const GError *refusal, gpointer user_data)
{
  List *list = user_data;
  GError *error = NULL;
  guint before = list->blocks->len;

  if (!reply)
    error = g_error_copy (refusal);
  else if (read_page (list, reply, &error)
      && has_more (list, reply, before, &error)) {
    ask_page (list, last_name (list));
    return;
  }
  end_list (list, error);
}

static void
ask_page (List *list, const char *after)
{
  gint64 left = -1;

  if (list->deadline_us >= 0)
    left = MAX (list->deadline_us - g_get_monotonic_time (), 0);
  hub_call (list->core,
      json_pack ("{s:s, s:s}", "type", "list", "after", after), left,
      g_task_get_cancellable (list->task), page_came, list);
}

/* Lists all blocks for @task (taken). */
void
hub_list_begin (HubCore *core, GTask *task, gint64 timeout_ns)
{
  List *list = g_new0 (List, 1);
  gint64 us = timeout_ns == 0 ? ONCE_US : hub_wait_us (timeout_ns);

  list->core = hub_core_ref (core);
  list->task = task;
  list->blocks =
      g_ptr_array_new_with_free_func ((GDestroyNotify) datahub_hub_block_unref);
  list->deadline_us = us < 0 ? -1 : g_get_monotonic_time () + us;
  ask_page (list, "");
}
