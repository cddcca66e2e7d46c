/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The state of a strict block's server, and what its files share. */
#ifndef DATAHUB_STRICT_SERVER_PRIVATE_H
#define DATAHUB_STRICT_SERVER_PRIVATE_H

#include "core/block/strict-protocol-private.h"
#include "producer-private.h"

#include <pthread.h>

/* Connections that have not greeted yet. */
#define MAX_PENDING 32u
/* Observers that have not read their answer yet. Its descriptors count against the
 * limit of this user that the kernel has for descriptors in flight. */
#define MAX_UNREAD 8u
#define MAX_CONNECTIONS (MAX_ROWS + MAX_PENDING + MAX_UNREAD)

typedef enum
{
  CONNECTION_PENDING, /* has not greeted */
  CONNECTION_GRANTED, /* a consumer */
  CONNECTION_SHOWN /* an observer that has not read its answer */
} ConnectionState;

typedef struct
{
  int fd;
  ConnectionState state;
  uint32_t row;
  int64_t since; /* in this state, if it is not granted */
  uint32_t owed; /* bits: pools still to be sent */
} Connection;

typedef struct
{
  uint32_t gen; /* 0: free */
  int fd; /* not owned: the pool's */
  PoolKind kind;
} ServedPool;

struct _StrictServer
{
  DatahubProducer *producer; /* not owned: it owns the server */
  bool has_secret;
  uint8_t secret[DATAHUB_SECRET_SIZE];
  bool running;
  pthread_t thread;
  int listener;
  int wake; /* eventfd */
  shared_u32 closed;

  /* Guards the granted connections and the pools, so that no client misses a pool
   * that is added while it is granted. Held across sends, which do not wait. */
  pthread_mutex_t lock;
  Connection connections[MAX_CONNECTIONS]; /* written by the thread */
  uint32_t n_connections;
  ServedPool pools[MAX_POOLS];

  /* The thread's own. */
  TicketBook book;
  int64_t no_accept_until, linger_until, last_sweep;
  int64_t observers_at; /* when to look at them; INT64_MAX: there are none */
};

/* strict-server.c */
StrictAnswer strict_answer (const StrictServer *server, StrictStatus status);
void strict_refuse (StrictServer *server, uint32_t i, StrictStatus status);
void strict_drop_connection (StrictServer *server, uint32_t i);
void strict_list_pools (const StrictServer *server, bool payload,
    StrictAnswer *made, int *fds);

/* strict-observers.c */
void strict_show (StrictServer *server, uint32_t i);
int64_t strict_look_at_observers (StrictServer *server, int64_t now);

#endif /* DATAHUB_STRICT_SERVER_PRIVATE_H */
