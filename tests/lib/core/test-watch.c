/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Many watches of names in one process share one inotify instance. */
#include "fixture.h"

#include <dirent.h>
#include <stdio.h>
#include <unistd.h>

#define MANY 200 /* a user may have 128 instances */
#define WAITERS 6

static DatahubWatch *
watch_name (uint32_t number)
{
  char name[32];
  snprintf (name, sizeof name, "name%u", number);
  return datahub_watch_new (name);
}

/* Descriptors of inotify in this process. */
static uint32_t
count_instances (void)
{
  DIR *dir = opendir ("/proc/self/fd");
  struct dirent *entry;
  uint32_t n = 0;
  CHECK (dir != NULL);
  while ((entry = readdir (dir)) != NULL) {
    char target[64] = { 0 };
    if (readlinkat (dirfd (dir), entry->d_name, target, sizeof target - 1) > 0)
      n += strcmp (target, "anon_inode:inotify") == 0;
  }
  closedir (dir);
  return n;
}

static void
one_instance (void)
{
  DatahubWatch *watches[MANY];
  uint32_t before = check_count_fds ();
  for (uint32_t i = 0; i < MANY; i++)
    CHECK ((watches[i] = watch_name (i)) != NULL);
  CHECK_INT (count_instances (), ==, 1);
  CHECK_INT (check_count_fds (), ==, before + CHECK_FDS_OF_WATCHES);
  for (uint32_t i = 0; i < MANY; i++)
    datahub_watch_free (watches[i]);
  check_keep_fds (CHECK_FDS_OF_WATCHES);
}

typedef struct
{
  uint32_t number;
  DatahubWatch *watch;
  _Atomic uint32_t *left; /* waiters that still wait */
} Waiter;

/* Attaches to its name when there is a block; each wait but the last lets it look
 * at nothing. */
static void *
wait_for_name (void *data)
{
  Waiter *waiter = data;
  DatahubConsumerOptions options;
  DatahubConsumer *consumer = NULL;
  char name[32];
  datahub_consumer_options_init (&options);
  snprintf (name, sizeof name, "name%u", waiter->number);
  while (datahub_consumer_attach (name, &options, &consumer, &err)
      == DATAHUB_ERROR_NOT_FOUND)
    CHECK_OK (datahub_watch_wait (waiter->watch, SOON));
  CHECK (consumer != NULL);
  (*waiter->left)--;
  datahub_consumer_close (consumer);
  return NULL;
}

/* Whichever thread polls, the watch of the name that comes is woken, and the others wait
 * on. With their looks of once a second alone it would take a minute. */
static void
each_is_woken (void)
{
  uint64_t waited = 0;
  for (uint32_t round = 0; round < 20; round++) {
    _Atomic uint32_t left = WAITERS;
    Waiter waiters[WAITERS];
    CheckThread *threads[WAITERS];
    for (uint32_t i = 0; i < WAITERS; i++) {
      waiters[i] = (Waiter){ i, watch_name (i), &left };
      CHECK (waiters[i].watch != NULL);
      threads[i] = check_thread (wait_for_name, &waiters[i]);
    }
    for (uint32_t i = 0; i < WAITERS; i++) {
      char name[32];
      uint32_t which = (i + round) % WAITERS;
      check_until_asleep (threads[which]);
      snprintf (name, sizeof name, "name%u", which);
      uint64_t start = check_now_ns ();
      DatahubProducer *producer = producer_new (name, NULL);
      CHECK_UNTIL (left == WAITERS - i - 1);
      check_thread_join (threads[which]);
      waited += check_now_ns () - start;
      datahub_producer_close (producer);
      datahub_watch_free (waiters[which].watch);
    }
  }
  CHECK_INT (waited, <, (uint64_t) check_scaled_ns (20 * CHECK_S));
  check_keep_fds (CHECK_FDS_OF_WATCHES);
}

static void *
wait_for_any (void *data)
{
  const Waiter *waiter = data;
  DatahubBlockGlance glance;
  char name[32];
  snprintf (name, sizeof name, "name%u", waiter->number);
  while (datahub_block_glance (name, &glance, NULL) != DATAHUB_OK)
    CHECK_OK (datahub_watch_wait (waiter->watch, SOON));
  return NULL;
}

/* With the looks of once a second alone it would take a minute. */
static void
any_channel (void)
{
  DatahubWatch *watch = datahub_watch_new (NULL);
  uint64_t waited = 0;
  CHECK (watch != NULL);
  for (uint32_t round = 0; round < 60; round++) {
    char name[32];
    Waiter waiter = { round, watch, NULL };
    CheckThread *thread = check_thread (wait_for_any, &waiter);
    snprintf (name, sizeof name, "name%u", round);
    check_until_asleep (thread);
    uint64_t start = check_now_ns ();
    DatahubProducer *producer = producer_new (name, NULL);
    check_thread_join (thread);
    waited += check_now_ns () - start;
    datahub_producer_close (producer);
  }
  CHECK_INT (waited, <, (uint64_t) check_scaled_ns (20 * CHECK_S));
  datahub_watch_free (watch);
  check_keep_fds (CHECK_FDS_OF_WATCHES);
}

static void *
wait_interrupted (void *data)
{
  DatahubResult result;
  while ((result = datahub_watch_wait (data, SOON)) == DATAHUB_OK)
    ;
  CHECK_RESULT (result, DATAHUB_INTERRUPTED);
  return NULL;
}

/* The one that polls, and those that sleep beside it. */
static void
each_is_interrupted (void)
{
  for (uint32_t round = 0; round < 20; round++) {
    DatahubWatch *watches[WAITERS];
    CheckThread *threads[WAITERS];
    for (uint32_t i = 0; i < WAITERS; i++) {
      CHECK ((watches[i] = watch_name (i)) != NULL);
      threads[i] = check_thread (wait_interrupted, watches[i]);
    }
    for (uint32_t i = 0; i < WAITERS; i++) {
      uint32_t which = (i + round) % WAITERS;
      check_until_asleep (threads[which]);
      datahub_watch_set_interrupted (watches[which], true);
      check_thread_join (threads[which]);
      datahub_watch_free (watches[which]);
    }
  }
  check_keep_fds (CHECK_FDS_OF_WATCHES);
}

/* It makes an instance of its own, and the parent still gets its changes. */
static void
watch_in_child (CheckParent *parent)
{
  DatahubWatch *before = *(DatahubWatch *const *) parent->data, *own;
  CHECK_RESULT (datahub_watch_wait (before, 0), DATAHUB_ERROR_FORKED);
  datahub_watch_set_interrupted (before, true);
  datahub_watch_free (before);
  CHECK ((own = watch_name (1)) != NULL);
  CHECK_INT (count_instances (), ==, 1);
  check_ready (parent);
  check_hear (parent->in);
  CHECK_OK (datahub_watch_wait (own, SOON));
  datahub_watch_free (own);
}

static void
forked (void)
{
  DatahubWatch *watch = watch_name (1);
  CHECK (watch != NULL);
  CheckChild child = check_fork_ready (watch_in_child, &watch);
  DatahubProducer *producer = producer_new ("name1", NULL);
  check_tell (child.to, 1);
  check_join (&child);
  CHECK_OK (datahub_watch_wait (watch, SOON));
  datahub_watch_free (watch);
  datahub_producer_close (producer);
  check_keep_fds (CHECK_FDS_OF_WATCHES);
}

static const CheckTest tests[] = {
  { "hundreds of watches need one inotify instance", one_instance },
  { "each watch is woken by its name", each_is_woken },
  { "a watch of all names is woken by each", any_channel },
  { "each watch is interrupted alone", each_is_interrupted },
  { "a child does not take its parent's changes", forked },
};
CHECK_MAIN (tests)
