/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An immutable copy of the broker's data about one block.
 * Tests: hub-questions */
#include "control/wire/control-log-private.h"
#include "hub-block-private.h"

#include <sodium.h>
#include <string.h>

struct _DatahubHubBlock
{
  gatomicrefcount refs;
  char name[DATAHUB_CHANNEL_MAX + 1];
  Token uuid;
  char *caps, *program, *host; /* owned */
  int pid;
  guint n_consumers;
  gboolean stalled, absent;
  gboolean has_secret;
  guint8 secret[DATAHUB_SECRET_SIZE];
  gboolean has_ticket;
  guint8 ticket[DATAHUB_TICKET_SIZE];
};

G_DEFINE_BOXED_TYPE (DatahubHubBlock, datahub_hub_block, datahub_hub_block_ref,
    datahub_hub_block_unref)

/* Copies the description in @json after checking every field of it. */
DatahubHubBlock *
hub_block_from_json (json_t *json, GError **error)
{
  gint64 pid, consumers;
  const char *uuid, *caps, *program, *host;
  const char *name = message_name (json, error);

  if (!name || !(uuid = message_uuid (json, error))
      || !(caps = message_string (json, "caps", CAPS_MAX, TRUE, error))
      || !(program = message_string (json, "program", LABEL_MAX, TRUE, error))
      || !(host = message_string (json, "host", LABEL_MAX, TRUE, error))
      || !message_integer (json, "pid", 0, G_MAXINT32, &pid, error)
      || !message_integer (json, "consumers", 0, G_MAXINT32, &consumers, error))
    return NULL;

  DatahubHubBlock *block = g_new0 (DatahubHubBlock, 1);
  g_atomic_ref_count_init (&block->refs);
  g_strlcpy (block->name, name, sizeof block->name);
  g_strlcpy (block->uuid, uuid, sizeof block->uuid);
  block->caps = g_strdup (caps);
  block->program = message_clean (program);
  block->host = message_clean (host);
  block->pid = (int) pid;
  block->n_consumers = (guint) consumers;
  block->stalled = json_is_true (json_object_get (json, "stalled"));
  block->absent = json_is_true (json_object_get (json, "absent"));
  return block;
}

/* Must be called before the block is shared. */
void
hub_block_set_secret (DatahubHubBlock *block,
    const guint8 secret[DATAHUB_SECRET_SIZE])
{
  memcpy (block->secret, secret, DATAHUB_SECRET_SIZE);
  block->has_secret = TRUE;
}

/* Must be called before the block is shared. */
void
hub_block_set_ticket (DatahubHubBlock *block,
    const guint8 ticket[DATAHUB_TICKET_SIZE])
{
  memcpy (block->ticket, ticket, DATAHUB_TICKET_SIZE);
  block->has_ticket = TRUE;
}

/* Whether nothing that matters to a listener differs: a block that was adopted
 * from a dead producer is another process's. */
gboolean
hub_block_same (DatahubHubBlock *a, DatahubHubBlock *b)
{
  return strcmp (a->uuid, b->uuid) == 0 && strcmp (a->caps, b->caps) == 0
      && a->pid == b->pid;
}

DatahubHubBlock *
datahub_hub_block_ref (DatahubHubBlock *block)
{
  g_atomic_ref_count_inc (&block->refs);
  return block;
}

void
datahub_hub_block_unref (DatahubHubBlock *block)
{
  if (!g_atomic_ref_count_dec (&block->refs))
    return;
  sodium_memzero (block->secret, sizeof block->secret);
  sodium_memzero (block->ticket, sizeof block->ticket);
  g_free (block->caps);
  g_free (block->program);
  g_free (block->host);
  g_free (block);
}

const char *
datahub_hub_block_get_name (DatahubHubBlock *block)
{
  return block->name;
}

const char *
datahub_hub_block_get_uuid (DatahubHubBlock *block)
{
  return block->uuid;
}

const char *
datahub_hub_block_get_caps (DatahubHubBlock *block)
{
  return block->caps;
}

const char *
datahub_hub_block_get_program (DatahubHubBlock *block)
{
  return block->program;
}

const char *
datahub_hub_block_get_host (DatahubHubBlock *block)
{
  return block->host;
}

gint
datahub_hub_block_get_pid (DatahubHubBlock *block)
{
  return block->pid;
}

guint
datahub_hub_block_get_n_consumers (DatahubHubBlock *block)
{
  return block->n_consumers;
}

gboolean
datahub_hub_block_is_pending (DatahubHubBlock *block)
{
  return block->uuid[0] == '\0';
}

gboolean
datahub_hub_block_is_stalled (DatahubHubBlock *block)
{
  return block->stalled;
}

gboolean
datahub_hub_block_is_absent (DatahubHubBlock *block)
{
  return block->absent;
}

const guint8 *
datahub_hub_block_get_secret (DatahubHubBlock *block)
{
  return block->has_secret ? block->secret : NULL;
}

const guint8 *
datahub_hub_block_get_ticket (DatahubHubBlock *block)
{
  return block->has_ticket ? block->ticket : NULL;
}
