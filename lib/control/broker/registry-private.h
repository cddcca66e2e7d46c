/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The broker's registry: clients, their blocks, and the consumers of those
 * blocks. It must only be used in the broker's thread. */
#ifndef DATAHUB_REGISTRY_PRIVATE_H
#define DATAHUB_REGISTRY_PRIVATE_H

#include <datahub/keys.h>
#include "control/wire/message-private.h"

/* So that nothing a client sends grows the broker without bound. */
#define DATAHUB_MAX_CLIENTS 1024
#define DATAHUB_MAX_BLOCKS 4096
#define DATAHUB_MAX_BLOCKS_PER_CLIENT 256
#define DATAHUB_MAX_CONSUMERS_PER_BLOCK 256
#define DATAHUB_MAX_SUBSCRIPTIONS 64

/* One hub: a key and the random instance it drew. It outlives a connection:
 * who comes back with the same pair goes on. */
typedef struct
{
  char *id; /* "key/instance"; owned */
  char key[DATAHUB_KEY_TEXT + 1];
  DatahubToken instance;
  GBytes *routing; /* of its present connection; owned */
  DatahubToken epoch; /* of its present connection */
  gint64 last_id; /* ids only rise within an epoch */
  gint64 seen_us; /* by the broker's clock */
  gboolean stalled; /* missed its heartbeats, or its connection is gone */
  char *program, *host; /* owned */
  int pid;
  gboolean local; /* on this machine: the kernel's evidence counts */
  GPtrArray *subscriptions; /* of Subscription; owned */
  guint n_blocks;
  guint n_consumers;
  double tokens; /* of its request budget */
  gint64 tokens_us;
} DatahubClient;

typedef struct
{
  char *pattern;
  gboolean notifications; /* not only the coming and going */
} DatahubSubscription;

typedef struct
{
  guint64 id;
  char *label;
  DatahubClient *client;
} DatahubJoined;

typedef struct
{
  char name[DATAHUB_CHANNEL_MAX + 1];
  char uuid[DATAHUB_TOKEN_TEXT + 1]; /* "": announced, not attachable */
  char *caps;
  guint8 secret[DATAHUB_SECRET_SIZE];
  gboolean has_secret;
  gboolean strict; /* of the secret only tickets are handed out */
  DatahubClient *owner; /* never NULL: a client with blocks is kept */
  gint64 stalled_us; /* since when its owner is silent; 0 if it is not */
  GPtrArray *joined; /* of DatahubJoined; owned */
} DatahubBlockEntry;

typedef struct
{
  GHashTable *clients; /* id -> DatahubClient, owned */
  GHashTable *routes; /* routing GBytes -> DatahubClient, borrowed */
  GTree *blocks; /* name -> DatahubBlockEntry, owned, in order */
} DatahubRegistry;

void registry_init (DatahubRegistry *registry);
void registry_clear (DatahubRegistry *registry);

DatahubClient *registry_get_client (DatahubRegistry *registry, const char *key,
    const char *instance);
void registry_route (DatahubRegistry *registry, DatahubClient *client,
    GBytes *routing);
DatahubClient *registry_by_route (DatahubRegistry *registry, GBytes *routing);
void registry_drop_idle (DatahubRegistry *registry, DatahubClient *client);
gboolean client_may_ask (DatahubClient *client, gint64 now_us);
gboolean client_listens (DatahubClient *client, const char *name,
    gboolean notification);

DatahubBlockEntry *registry_find (DatahubRegistry *registry, const char *name);
DatahubBlockEntry *registry_add (DatahubRegistry *registry,
    DatahubClient *owner, const char *name, const char *uuid, const char *caps);
void registry_remove (DatahubRegistry *registry, DatahubBlockEntry *block);
void registry_hand_over (DatahubBlockEntry *block, DatahubClient *owner);
guint registry_n_blocks (DatahubRegistry *registry);
DatahubJoined *block_entry_join (DatahubBlockEntry *block,
    DatahubClient *client, guint64 id, const char *label);
DatahubJoined *block_entry_find_joined (DatahubBlockEntry *block, guint64 id);
void block_entry_leave (DatahubBlockEntry *block, DatahubJoined *joined);
json_t *block_entry_to_json (DatahubBlockEntry *block);

#endif /* DATAHUB_REGISTRY_PRIVATE_H */
