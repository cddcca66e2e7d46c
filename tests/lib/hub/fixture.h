/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the tests of hub and broker share: private directories, waiting for
 * events, child processes, and a client that speaks the bare protocol. */
#ifndef HUB_FIXTURE_H
#define HUB_FIXTURE_H

#include <datahub/datahub.h>
#include <jansson.h>

#define SECONDS G_GINT64_CONSTANT (1000000000)
#define UUID_A "0123456789abcdef0123456789abcdef"
#define UUID_B "fedcba9876543210fedcba9876543210"

int fixture_main (int *argc, char ***argv, void (*add_tests) (void));
void fixture_add (const char *path, void (*test) (void));
void fixture_add_data (const char *path, gconstpointer data,
    void (*test) (gconstpointer data));
const char *fixture_dir (void);
char *fixture_file (const char *name);
void fixture_write (const char *path, const char *text, int mode);

/* Iterates the default context until @condition; a test that waits longer than
 * a generous limit has failed. */
#define fixture_wait_until(condition)                                          \
  G_STMT_START                                                                 \
  {                                                                            \
    gint64 started_ = fixture_wait_begin ();                                   \
    while (!(condition))                                                       \
      fixture_wait_step (started_, #condition);                                \
  }                                                                            \
  G_STMT_END
gint64 fixture_wait_begin (void);
void fixture_wait_step (gint64 started, const char *what);
gint64 fixture_ms_since (gint64 started_us);

DatahubBroker *fixture_broker (const char *config);
/* Also at @endpoint; @bound becomes what that is. */
DatahubBroker *fixture_broker_at (const char *config, const char *endpoint,
    char **bound);
DatahubHub *fixture_hub (DatahubHubFlags flags);
void fixture_round_trip (DatahubHub *hub);

/* Where the broker runs: "helper", "process" or "standalone", and its process. */
typedef struct
{
  char kind[16];
  int pid;
} BrokerPlace;

BrokerPlace fixture_place (DatahubHub *hub);
void fixture_wait_end (int pidfd);

/* A child: this program again, as @role. It says lines and listens to none. */
typedef struct
{
  GSubprocess *process;
  GDataInputStream *lines;
  int pid;
} Child;

typedef int (*ChildRole) (const char *argument);
void fixture_add_role (const char *name, ChildRole role);
Child *fixture_spawn (const char *role, const char *argument);
Child *fixture_spawn_ready (const char *role, const char *argument,
    const char *line);
Child *fixture_spawn_argv (const char *const *argv);
char *fixture_read_line (Child *child);
void fixture_expect_line (Child *child, const char *line);
void fixture_signal (Child *child, int signal);
void fixture_stop (Child *child);
int fixture_reap (Child *child);
void fixture_kill (Child *child);
void fixture_say (const char *format, ...) G_GNUC_PRINTF (1, 2);
void fixture_child_stay (void);

/* In a child: produces @name with a real block, writes "uuid UUID" once it is registered,
 * and stays. */
int fixture_produce (const char *name, gboolean adopt);
/* In a child: joins the real block @name, writes "joined", and stays. */
int fixture_consume (const char *name);

/* --- the bare protocol --- */

typedef struct
{
  void *context, *socket, *monitor;
  gboolean borrowed; /* the context */
  char public_key[DATAHUB_KEY_TEXT + 1], secret_key[DATAHUB_KEY_TEXT + 1];
  char epoch[33], instance[33], host[128];
  gint64 id;
} Raw;

Raw *raw_own (void);
Raw *raw_own_at (const char *endpoint);
Raw *raw_with_key (const char *public_key, const char *secret_key);
Raw *raw_with_key_at (const char *endpoint, const char *public_key,
    const char *secret_key);
/* @name: what libzmq is to call the connection; NULL: any. */
Raw *raw_named (const char *endpoint, const char *public_key,
    const char *secret_key, const char *name);
/* As @other, with its key and its context, which must live longer. */
Raw *raw_beside (const Raw *other, const char *endpoint);
Raw *raw_without_key (const char *password);
void raw_free (Raw *raw);
void raw_send (Raw *raw, const void *data, gsize size);
json_t *raw_receive (Raw *raw, int timeout_ms);
json_t *raw_event (Raw *raw, const char *event, int timeout_ms);
/* As a client of another machine, or of the one with the boot id @host. */
void raw_hello (Raw *raw, const char *instance);
void raw_hello_from (Raw *raw, const char *instance, const char *host);
json_t *raw_request (Raw *raw, const char *type, json_t *fields);
json_t *raw_request_again (Raw *raw, const char *type, json_t *fields);
void raw_expect_error (Raw *raw, const char *type, json_t *fields,
    const char *code);
void raw_expect_ok (Raw *raw, const char *type, json_t *fields);
gint64 raw_stat (Raw *raw, const char *name);
int raw_handshake_event (Raw *raw, int timeout_ms);
void raw_key_pair (char public_key[DATAHUB_KEY_TEXT + 1],
    char secret_key[DATAHUB_KEY_TEXT + 1]);
void raw_server_key (char key[DATAHUB_KEY_TEXT + 1]);
char *raw_endpoint (void);

#endif /* HUB_FIXTURE_H */
