/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The broker's registry: clients, their blocks, and the consumers of those
 * blocks. It must only be used in the broker's thread. */
#ifndef DATAHUB_REGISTRY_PRIVATE_H
#define DATAHUB_REGISTRY_PRIVATE_H

#include "account-private.h"
#include <datahub/keys.h>
#include "control/wire/message-private.h"

/* Limits, so that requests of a client cannot grow the broker without bound. Half of the
 * places are kept for the own user, and a key has a part of those for strangers. */
#define MAX_CLIENTS 1024
#define MAX_STRANGERS 512
#define MAX_CLIENTS_PER_KEY 128
#define MAX_BLOCKS 4096
#define MAX_BLOCKS_OF_STRANGERS 2048
#define MAX_BLOCKS_PER_KEY 512
#define MAX_BLOCKS_PER_CLIENT 256
#define MAX_JOINED_STRANGERS 128 /* of one block */
#define MAX_SUBSCRIPTIONS 64

typedef struct _Registry Registry;

/* One hub: a key and a random instance number, by one port. It outlives a connection: a
 * hub that reconnects with the same pair continues. */
typedef struct
{
  Registry *registry;
  Account *account; /* of its key; NULL: of the own user */
  char *id; /* port, key and instance; owned */
  char key[DATAHUB_KEY_TEXT + 1];
  Token instance;
  GBytes *routing; /* of its current connection; owned */
  Token epoch; /* of its current connection */
  gint64 last_id; /* ids must increase within an epoch */
  gint64 seen_us; /* by the broker's clock */
  /* It missed its heartbeats, its process is stopped, or its connection is gone. */
  gboolean stalled;
  gboolean examined; /* the kernel shows whether its process is stopped */
  guint stopped_looks; /* in a row that found it stopped; see broker-watch.c */
  char *program, *host; /* owned */
  int pid;
  /* It came by the socket of the own user, on this machine: what it writes about its blocks
   * is compared with the kernel's evidence. Of others it is only shown. */
  gboolean local;
  GPtrArray *subscriptions; /* of Subscription; owned */
  guint n_blocks;
  guint n_consumers;
} BrokerClient;

typedef struct
{
  char *pattern;
  gboolean notifications; /* not only notices of added and removed blocks */
} Subscription;

typedef struct
{
  guint64 id;
  char *label;
  BrokerClient *client;
} Joined;

typedef struct
{
  char name[DATAHUB_CHANNEL_MAX + 1];
  char uuid[TOKEN_TEXT + 1]; /* "": announced, not attachable */
  char *caps;
  guint8 secret[DATAHUB_SECRET_SIZE];
  gboolean has_secret;
  gboolean strict; /* clients get tickets, not the secret */
  gboolean visible; /* the broker saw this block in its own shared memory */
  /* Its owner has the same shared memory as the broker, which did not see it. */
  gboolean absent;
  BrokerClient *owner; /* never NULL: a client with blocks is kept */
  gint64 stalled_us; /* since when its owner is stalled; 0 if it is not */
  guint serial; /* of this owner's registration, for looks that are under way */
  gboolean asked, asked_consumers; /* a look is under way */
  gint64
      again_us; /* when its consumers can be looked at again; 0: at any time */
  GPtrArray *joined; /* of Joined; owned */
  /* Keys with its secret or a ticket -> "", or the epoch of the connection by which
   * the owner got the event that the key lost its right; owned. */
  GHashTable *introduced;
} BlockEntry;

struct _Registry
{
  GHashTable *clients; /* id -> BrokerClient, owned */
  GHashTable *routes; /* routing GBytes -> BrokerClient, borrowed */
  GTree *blocks; /* name -> BlockEntry, owned, in order */
  guint serial; /* the last that was given */
  guint n_strangers, n_blocks_of_strangers;
};

void registry_init (Registry *registry);
void registry_clear (Registry *registry);

BrokerClient *registry_get_client (Registry *registry, Account *account,
    const char *key, const char *instance);
void registry_route (Registry *registry, BrokerClient *client, GBytes *routing);
BrokerClient *registry_by_route (Registry *registry, GBytes *routing);
void registry_drop_idle (Registry *registry, BrokerClient *client);
gboolean client_listens (const BrokerClient *client, const char *name,
    gboolean notification);

BlockEntry *registry_find (Registry *registry, const char *name);
BlockEntry *registry_add (Registry *registry, BrokerClient *owner,
    const char *name, const char *uuid, const char *caps);
void registry_remove (Registry *registry, BlockEntry *block);
void registry_hand_over (Registry *registry, BlockEntry *block,
    BrokerClient *owner);
guint registry_n_blocks (Registry *registry);
gboolean client_may_register (const BrokerClient *client);
gboolean block_entry_has_room (const BlockEntry *block,
    const BrokerClient *client);
Joined *block_entry_join (BlockEntry *block, BrokerClient *client, guint64 id,
    const char *label);
Joined *block_entry_find_joined (BlockEntry *block, guint64 id);
void block_entry_leave (BlockEntry *block, Joined *joined);
json_t *block_entry_to_json (BlockEntry *block);
GPtrArray *registry_list_blocks (Registry *registry);

#endif /* DATAHUB_REGISTRY_PRIVATE_H */
