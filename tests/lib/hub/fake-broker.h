/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A broker that sends exactly what a test wants a hub to receive. It has the keys of
 * the runtime directory, so a hub lets it pass. */
#ifndef FAKE_BROKER_H
#define FAKE_BROKER_H

#include "fixture.h"

#include <zmq.h>

typedef struct _FakeBroker FakeBroker;

/* The functions of an attack run in the broker's thread. */
typedef struct
{
  const char *name;
  /* Answers @request, or does not. NULL: fake_answer(). */
  void (*answer) (FakeBroker *broker, json_t *request, const char *type);
  /* Called again and again while a hub is connected; NULL: nothing is sent
   * without a request. */
  void (*turn) (FakeBroker *broker);
} FakeAttack;

struct _FakeBroker
{
  char *endpoint; /* owned */
  FakeAttack attack;
  gpointer data; /* the test's */
  guint step; /* of the attack; its own */
  /* Atomic from here. */
  int fair; /* answers as a broker does, and sends nothing else */
  int deaf; /* reads nothing */
  int n_hellos, n_requests, n_sent, n_full;

  /* The thread's own. */
  void *context, *socket;
  GThread *thread;
  int stop; /* atomic */
  zmq_msg_t peer;
  gboolean has_peer;
};

/* At @endpoint; NULL: at one of its own. */
FakeBroker *fake_start (const FakeAttack *attack, const char *endpoint,
    gpointer data);
void fake_stop (FakeBroker *broker);
/* A hub that connects to @broker; it does not wait for it. */
DatahubHub *fake_hub (FakeBroker *broker, DatahubHubFlags flags);

/* Returns whether the connection took it. */
gboolean fake_send (FakeBroker *broker, const void *data, gsize size);
gboolean fake_send_parts (FakeBroker *broker, const char *const *parts,
    guint n);
/* These take @fields, which may be NULL. */
gboolean fake_send_json (FakeBroker *broker, json_t *fields);
gboolean fake_event (FakeBroker *broker, const char *event, json_t *fields);
gboolean fake_reply (FakeBroker *broker, json_t *request, json_t *fields);
gboolean fake_refuse (FakeBroker *broker, json_t *request, const char *code,
    const char *text);
/* As a broker without blocks answers. */
void fake_answer (FakeBroker *broker, json_t *request, const char *type);
json_t *fake_greeting (void);
json_t *fake_block (const char *name, const char *uuid, int pid);

#endif /* FAKE_BROKER_H */
