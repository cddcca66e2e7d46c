/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A consumer that its producer has counted stands still at a step of its attach,
 * while the producer writes a whole short stream and goes. The consumer must get
 * all of it.
 *
 * Tests: lib/core/consumer/consumer.c (datahub_consumer_attach). Model: close. */
#include "lib/core/steps.h"

#include "common/check.h"

#include <datahub/core.h>
#include <signal.h>
#include <sys/wait.h>

#define N_BUFFERS 3
#define SLOT 4096
#define LARGE (5 * SLOT) /* needs a pool that the consumer has not seen */

/* How the producer goes. */
typedef enum
{
  CLOSES,
  DIES,
  IS_REPLACED, /* it dies, and the next one wants another block */
  IS_SUCCEEDED /* it dies, and the next one adopts the block */
} End;

typedef struct
{
  uint32_t step;
  bool reliable, strict, grows;
  End end;
} Case;

static DatahubError error;

static void
must (DatahubResult result, const char *what)
{
  if (result != DATAHUB_OK)
    check_fail (__FILE__, __LINE__, "%s: %s (%s)", what,
        datahub_result_name (result), error.message);
}

static DatahubProducer *
start_producer (const Case *of, uint32_t slots)
{
  DatahubProducerOptions options;
  DatahubProducer *producer = NULL;
  datahub_producer_options_init (&options);
  options.slot_size = SLOT;
  options.slots = slots;
  options.strict = of->strict;
  must (datahub_producer_create ("counted", &options, &producer, &error),
      "create");
  must (datahub_producer_publish (producer, &error), "publish");
  return producer;
}

static void
commit_one (DatahubProducer *producer, uint64_t size)
{
  DatahubSlot slot;
  DatahubCommit commit = { .struct_size = sizeof (DatahubCommit),
    .type = DATAHUB_RECORD_BUFFER };
  must (datahub_producer_acquire_slot (producer, size, DATAHUB_FOREVER, &slot,
            &error),
      "slot");
  commit.n_memories = 1;
  commit.memories[0] = (DatahubCommitMemory){ &slot, 0, size };
  commit.release = true;
  must (datahub_producer_commit (producer, &commit, DATAHUB_FOREVER, NULL,
            &error),
      "commit");
}

/* Reports whether the consumer was counted before the first buffer. */
static void
producer (CheckParent *parent)
{
  const Case *as = parent->data;
  DatahubCommit eos = { .struct_size = sizeof (DatahubCommit),
    .type = DATAHUB_RECORD_EOS };
  DatahubProducer *producer = start_producer (as, 16);
  bool counted;
  check_ready (parent);
  check_hear (parent->in);
  counted = datahub_producer_wait_consumers (producer, 1, 0) == DATAHUB_OK;
  for (uint32_t i = 0; i < N_BUFFERS; i++)
    commit_one (producer, as->grows ? LARGE : SLOT);
  must (datahub_producer_commit (producer, &eos, DATAHUB_FOREVER, NULL, &error),
      "eos");
  check_tell (parent->out, counted);
  if (as->end != CLOSES)
    check_until_killed (parent);
  datahub_producer_close (producer);
}

/* Returns how many buffers came before EOS, or before there was nothing more. */
static uint64_t
read_stream (DatahubConsumer *consumer)
{
  DatahubView view;
  uint64_t n = 0;
  while (datahub_consumer_begin_read (consumer, CHECK_S, &view, &error)
      == DATAHUB_OK) {
    bool end = view.type == DATAHUB_RECORD_EOS;
    n += view.type == DATAHUB_RECORD_BUFFER;
    datahub_consumer_end_read (consumer, &view);
    if (end)
      break;
  }
  return n;
}

/* Reports the outcome of the attach, and how much came. */
static void
consumer (CheckParent *parent)
{
  static StepCounts counts;
  const Case *as = parent->data;
  StepTrap trap = { as->step, 1, SIGSTOP };
  DatahubConsumerOptions options;
  DatahubConsumer *consumer = NULL;
  DatahubResult result;
  datahub_consumer_options_init (&options);
  options.reliable = as->reliable;
  options.timeout_ns = check_scaled_ns (10 * CHECK_S);
  steps_watch (&counts, &trap);
  result = datahub_consumer_attach ("counted", &options, &consumer, &error);
  steps_ignore ();
  check_tell (parent->out, result);
  check_hear (parent->in);
  check_tell (parent->out, consumer ? read_stream (consumer) : 0);
  datahub_consumer_close (consumer);
}

static bool
is_stopped (const CheckChild *child)
{
  int status;
  return waitpid (child->pid, &status, WNOHANG | WUNTRACED) == child->pid
      && WIFSTOPPED (status);
}

/* Returns the producer that came after, or NULL. */
static DatahubProducer *
let_go (const Case *of, CheckChild *producing)
{
  if (of->end == CLOSES) {
    check_join (producing);
    return NULL;
  }
  check_kill (producing);
  return of->end == DIES
      ? NULL
      : start_producer (of, of->end == IS_REPLACED ? 32 : 16);
}

/* Returns whether the consumer was counted while it stood at the step. */
static bool
run (const Case *as)
{
  CheckChild producing = check_fork_ready (producer, as);
  CheckChild consuming = check_fork (consumer, as);
  bool stopped = false, counted;
  DatahubProducer *next;
  uint64_t result, got;
  CHECK_UNTIL ((stopped = stopped || is_stopped (&consuming))
      || check_has_word (consuming.from));
  check_tell (producing.to, 1);
  counted = check_hear (producing.from);
  next = let_go (as, &producing);
  check_continue (&consuming);
  result = check_hear (consuming.from);
  check_tell (consuming.to, 1);
  got = check_hear (consuming.from);
  check_join (&consuming);
  datahub_producer_close (next);
  if (counted && (result != DATAHUB_OK || got != N_BUFFERS))
    check_fail (__FILE__, __LINE__,
        "counted at %s: attach is %s, and %u of %u buffers came",
        steps_name (as->step), datahub_result_name ((DatahubResult) result),
        (unsigned) got, N_BUFFERS);
  if (result != DATAHUB_OK)
    CHECK_INT (result, ==, DATAHUB_ERROR_NOT_FOUND);
  return stopped && counted;
}

/* At the steps from the first that counts to the end of the attach. */
static void
run_all (Case of)
{
  static const char *const names[] = { "JOIN_ACTIVE_STORED", "JOINED" };
  for (uint32_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    of.step = steps_find (names[i]);
    CHECK (of.step != UINT32_MAX);
    for (int bits = 0; bits < 4; bits++) {
      of.reliable = bits & 1;
      of.grows = bits & 2;
      CHECK (run (&of));
    }
  }
  /* before that it is not counted, and may come too late */
  of.step = steps_find ("ROW_STATE_STORED");
  CHECK (!run (&of));
}

static void
closes (void)
{
  run_all ((Case){ .end = CLOSES });
}

static void
dies (void)
{
  run_all ((Case){ .end = DIES });
  check_allow_files ();
}

static void
is_replaced (void)
{
  run_all ((Case){ .end = IS_REPLACED });
}

static void
is_succeeded (void)
{
  run_all ((Case){ .end = IS_SUCCEEDED });
}

static void
closes_strict (void)
{
  run_all ((Case){ .end = CLOSES, .strict = true });
}

static const CheckTest tests[] = {
  { "a counted consumer gets all of a producer that closes", closes },
  { "a counted consumer gets all of a producer that dies", dies },
  { "a counted consumer gets all where another block follows", is_replaced },
  { "a counted consumer gets all where the block is adopted", is_succeeded },
  { "a counted consumer gets all of a strict block", closes_strict },
};
CHECK_MAIN (tests)
