/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `datahub doctor` and the deep view of `datahub inspect`: what is wrong is said
 * with what to do, and only that. */
#include "cli-fixture.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

/* Offsets in the control file, from docs/memory-layout.md. */
#define AT_FLUSH_SEQ 0x1a0

static void
commit (DatahubProducer *producer, guint n)
{
  DatahubSlot slot;
  DatahubError error;

  while (n-- > 0) {
    g_assert_cmpint (datahub_producer_acquire_slot (producer, 100, -1, &slot,
                         &error),
        ==, DATAHUB_OK);
    DatahubCommit record = { .struct_size = sizeof (DatahubCommit),
      .type = DATAHUB_RECORD_BUFFER,
      .n_memories = 1,
      .memories = { { .slot = &slot, .size = 100 } },
      .release = true };
    g_assert_cmpint (datahub_producer_commit (producer, &record, -1, NULL,
                         &error),
        ==, DATAHUB_OK);
  }
}

static DatahubConsumer *
consume (const char *name, gboolean reliable)
{
  DatahubConsumerOptions options;
  DatahubConsumer *consumer;
  DatahubError error;

  datahub_consumer_options_init (&options);
  options.name = "pre\x1bview";
  options.reliable = reliable;
  options.start = DATAHUB_START_OLDEST;
  g_assert_cmpint (datahub_consumer_attach (name, &options, &consumer, &error),
      ==, DATAHUB_OK);
  return consumer;
}

static DatahubView
read_one (DatahubConsumer *consumer)
{
  DatahubView view;
  DatahubError error;

  g_assert_cmpint (datahub_consumer_begin_read (consumer, SECONDS, &view,
                       &error),
      ==, DATAHUB_OK);
  return view;
}

static json_t *
only (json_t *json, const char *key)
{
  json_t *list = json_object_get (json, key);

  g_assert_cmpuint (json_array_size (list), ==, 1);
  return json_array_get (list, 0);
}

/* The problem of that name of the one block. */
static json_t *
problem_of (json_t *json, const char *name)
{
  json_t *problems = json_object_get (only (json, "blocks"), "problems");
  json_t *problem;
  size_t i;

  json_array_foreach (problems, i, problem)
  {
    if (g_strcmp0 (text_of (problem, "name"), name) == 0)
      return problem;
  }
  g_error ("there is no problem \"%s\"", name);
}

static void
test_healthy (void)
{
  g_auto (Result) nothing = run ("doctor", "--broker", "none", NULL);
  DatahubProducer *producer = produce ("cam0");
  DatahubConsumer *consumer = consume ("cam0", TRUE);

  g_assert_cmpint (nothing.code, ==, 0);
  assert_says (nothing.out, "No blocks.");
  assert_says (nothing.out, "No problems.");
  commit (producer, 3);
  for (guint i = 0; i < 3; i++) {
    DatahubView view = read_one (consumer);
    datahub_consumer_end_read (consumer, &view);
  }
  g_auto (Result) text =
      run ("doctor", "cam0", "--broker", "none", "--watch", "0.1", NULL);
  g_assert_cmpint (text.code, ==, 0);
  assert_says (text.out, "cam0 - producer alive, 1 consumer, 3 buffers: ok");
  assert_says (text.out, "No problems.");
  g_assert_cmpstr (text.err, ==, "");
  g_auto (Result) result = run ("doctor", "--json", "--watch", "0", NULL);
  json_t *json = parse (&result);
  g_assert_cmpint (result.code, ==, 0);
  g_assert_true (json_is_true (json_object_get (json, "healthy")));
  g_assert_cmpstr (text_of (only (json, "blocks"), "uuid"), ==,
      datahub_producer_get_uuid (producer));
  g_assert_cmpuint (json_array_size (json_object_get (only (json, "blocks"),
                        "problems")),
      ==, 0);
  json_decref (json);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

/* What the producer noted is a note: it does not make the block unhealthy. */
static void
test_noted_errors (void)
{
  DatahubProducer *producer = produce ("cam0");

  datahub_producer_note_error (producer, DATAHUB_ERROR_INVALID, "odd \033[2J");
  datahub_producer_note_error (producer, DATAHUB_ERROR_INVALID, "odd \033[2J");
  datahub_producer_count_copied (producer, 3);
  g_auto (Result) doctor = run ("doctor", "cam0", "--broker", "none", "--json",
      "--watch", "0", NULL);
  json_t *json = parse (&doctor);
  g_assert_cmpint (doctor.code, ==, 0);
  g_assert_true (json_is_true (json_object_get (json, "healthy")));
  json_t *problem = problem_of (json, "noted-error");
  g_assert_cmpstr (text_of (problem, "severity"), ==, "note");
  assert_says (text_of (problem, "message"), "Noted 2 times");
  assert_says (text_of (problem, "message"), "odd ?[2J (invalid)");
  json_decref (json);

  g_auto (Result) text = run ("inspect", "cam0", NULL);
  assert_says (text.out, "0 evictions, 0 given up, 0 growths, 3 copied");
  assert_says (text.out, "2      invalid  odd ?[2J");
  g_auto (Result) inspected = run ("inspect", "cam0", "--json", NULL);
  json = parse (&inspected);
  json_t *error = only (json, "errors");
  g_assert_cmpstr (text_of (error, "code"), ==, "invalid");
  g_assert_cmpstr (text_of (error, "text"), ==, "odd ?[2J");
  g_assert_cmpint (json_integer_value (json_object_get (error, "count")), ==,
      2);
  g_assert_cmpint (json_integer_value (json_object_get (error, "first-ns")), >,
      0);
  g_assert_cmpint (json_integer_value (json_object_get (json, "copied")), ==,
      3);
  g_assert_cmpint (json_integer_value (json_object_get (json,
                       "clock-realtime-ns")),
      >, 0);
  g_assert_cmpuint (strlen (text_of (json, "boot-id")), ==, 32);
  json_decref (json);
  datahub_producer_close (producer);
}

/* One word of the control file changed by somebody. */
static void
test_damage (void)
{
  DatahubProducer *producer = produce ("cam0");
  guint64 wrong = 1000, right = 0;
  g_autofree char *name = g_strdup_printf ("datahub-%u-%s.ctl", getuid (),
      datahub_producer_get_uuid (producer));
  g_autofree char *path =
      g_build_filename (g_getenv ("DATAHUB_SHM_DIR"), name, NULL);
  int fd = g_open (path, O_RDWR | O_CLOEXEC);

  g_assert_cmpint (pwrite (fd, &wrong, 8, AT_FLUSH_SEQ), ==, 8);
  g_auto (Result) text =
      run ("doctor", "--watch", "0", "--broker", "none", NULL);
  g_assert_cmpint (text.code, ==, 4);
  assert_says (text.out, "damage (counters): flush_seq is 1000");
  assert_says (text.out, "-> A program is faulty");
  assert_says (text.out, "1 problem.");
  g_auto (Result) result = run ("doctor", "cam0", "--json", "--watch", "0",
      "--broker", "none", NULL);
  json_t *json = parse (&result);
  g_assert_cmpint (result.code, ==, 4);
  g_assert_true (json_is_false (json_object_get (json, "healthy")));
  g_assert_cmpstr (text_of (problem_of (json, "counters"), "severity"), ==,
      "damage");
  json_decref (json);
  g_assert_cmpint (pwrite (fd, &right, 8, AT_FLUSH_SEQ), ==, 8);
  g_auto (Result) mended =
      run ("doctor", "--watch", "0", "--broker", "none", NULL);
  g_assert_cmpint (mended.code, ==, 0);
  close (fd);
  datahub_producer_close (producer);
}

/* A producer, or a consumer that holds one record, that never ends by itself. */
static int
abandon (const char *name)
{
  commit (produce (name), 3);
  fixture_say ("produced");
  fixture_child_stay ();
  return 0;
}

static int
hold (const char *name)
{
  read_one (consume (name, TRUE));
  fixture_say ("holds");
  fixture_child_stay ();
  return 0;
}

static void
test_dead (void)
{
  Child *producer = fixture_spawn_ready ("abandon", "cam0", "produced");
  Child *consumer = fixture_spawn_ready ("hold", "cam0", "holds");

  fixture_kill (consumer);
  g_auto (Result) one =
      run ("doctor", "--watch", "0", "--broker", "none", NULL);
  g_assert_cmpint (one.code, ==, 4);
  assert_says (one.out, "producer alive, 0 consumers");
  assert_says (one.out, "leftover (consumer-dead");
  /* Nothing that a consumer wrote steers the terminal. */
  assert_says (one.out, "\"pre?view\"");
  g_assert_null (strchr (one.out, '\x1b'));

  fixture_kill (producer);
  g_auto (Result) two =
      run ("doctor", "cam0", "--watch", "0", "--broker", "none", NULL);
  g_assert_cmpint (two.code, ==, 4);
  assert_says (two.out, "producer dead");
  assert_says (two.out, "leftover (producer-dead, ");
  assert_says (two.out, "Start the producer again");
  assert_says (two.out, "leftover (files): ");
  assert_says (two.out, "datahub reclaim --yes");
  g_auto (Result) reclaimed = run ("reclaim", "--yes", NULL);
  g_assert_cmpint (reclaimed.code, ==, 0);
  g_auto (Result) gone = run ("doctor", "cam0", NULL);
  g_assert_cmpint (gone.code, ==, 3);
  assert_says (gone.err, "cam0");
}

/* What the dead left is cleaned when that is asked for, and not before. */
static void
test_repair (void)
{
  Child *producer = fixture_spawn_ready ("abandon", "cam0", "produced");
  Child *consumer = fixture_spawn_ready ("hold", "cam0", "holds");
  g_autofree char *end = g_strdup_printf ("End process %d", consumer->pid);

  g_auto (Result) living = run ("doctor", "cam0", "--release", "row:0", NULL);
  g_assert_cmpint (living.code, ==, 1);
  assert_says (living.err, end);
  fixture_kill (consumer);
  g_auto (Result) dry =
      run ("doctor", "cam0", "--watch", "0", "--broker", "none", NULL);
  g_assert_cmpint (dry.code, ==, 4);
  assert_says (dry.out, "with --repair: The row of the dead consumer");
  assert_says (dry.out, "leftover (consumer-dead");
  g_auto (Result) wet = run ("doctor", "cam0", "--watch", "0", "--broker",
      "none", "--repair", "--json", NULL);
  json_t *json = parse (&wet);
  g_assert_cmpint (wet.code, ==, 0);
  g_assert_true (json_is_true (json_object_get (json, "repaired")));
  g_assert_cmpuint (json_array_size (json_object_get (only (json, "blocks"),
                        "actions")),
      ==, 1);
  json_decref (json);
  g_auto (Result) again = run ("doctor", "cam0", "--watch", "0", "--broker",
      "none", "--repair", NULL);
  g_assert_cmpint (again.code, ==, 0);
  assert_silent (again.out, "repaired:");

  fixture_kill (producer);
  g_auto (Result) kept = run ("doctor", "cam0", "--watch", "0", "--broker",
      "none", "--repair", NULL);
  g_assert_cmpint (kept.code, ==, 4);
  assert_says (kept.out, "datahub doctor cam0 --close");
  g_auto (Result) closed = run ("doctor", "cam0", "--watch", "0", "--broker",
      "none", "--close", NULL);
  g_assert_cmpint (closed.code, ==, 0);
  assert_says (closed.out, "repaired: The block is closed");
  g_auto (Result) gone = run ("doctor", "cam0", NULL);
  g_assert_cmpint (gone.code, ==, 3);
}

static void
test_release (void)
{
  static const char *const wrong[] = { "row", "row:", "row:x", "record:1",
    "slot:1/", "slot:1/2/3", "lock:nobody", "row:4294967296" };
  DatahubProducer *producer = produce ("cam0");
  Child *consumer = fixture_spawn ("hold", "cam0");

  commit (producer, 3);
  fixture_expect_line (consumer, "holds");
  fixture_kill (consumer);
  for (guint i = 0; i < G_N_ELEMENTS (wrong); i++) {
    g_auto (Result) usage = run ("doctor", "cam0", "--release", wrong[i], NULL);
    g_assert_cmpint (usage.code, ==, 2);
    assert_says (usage.err, "names nothing");
  }
  g_auto (Result) slot = run ("doctor", "cam0", "--release", "slot:2/7", NULL);
  g_assert_cmpint (slot.code, ==, 1);
  assert_says (slot.err, "No consumer holds slot 7");
  g_auto (Result) row = run ("doctor", "cam0", "--release", "row:0", NULL);
  g_assert_cmpint (row.code, ==, 0);
  assert_says (row.out, "Released: row:0.");
  g_auto (Result) twice = run ("doctor", "cam0", "--release", "row:0", NULL);
  g_assert_cmpint (twice.code, ==, 1);
  g_auto (Result) all = run ("doctor", "--release", "row:0", NULL);
  g_assert_cmpint (all.code, ==, 2);
  commit (producer, 20);
  datahub_producer_close (producer);
}

static void
test_stopped (void)
{
  Child *producer = fixture_spawn_ready ("abandon", "cam0", "produced");
  Child *consumer = fixture_spawn_ready ("hold", "cam0", "holds");
  g_autofree char *first = g_strdup_printf ("kill -CONT %d", producer->pid);
  g_autofree char *second = g_strdup_printf ("kill -CONT %d", consumer->pid);

  fixture_stop (producer);
  fixture_stop (consumer);
  g_auto (Result) text = run ("doctor", "--broker", "none", NULL);
  g_assert_cmpint (text.code, ==, 4);
  assert_says (text.out, first);
  assert_says (text.out, second);
  assert_says (text.out, "warning (consumer-stalled, ");
  assert_silent (text.out, "leftover");
  fixture_signal (producer, SIGKILL);
  fixture_signal (consumer, SIGKILL);
  fixture_reap (producer);
  fixture_reap (consumer);
  g_auto (Result) reclaimed = run ("reclaim", "--yes", NULL);
  g_assert_cmpint (reclaimed.code, ==, 0);
}

static void
test_environment (void)
{
  g_autofree char *dir = g_strdup (g_getenv ("DATAHUB_SHM_DIR"));
  g_autofree char *open_dir = fixture_file ("open");

  g_setenv ("DATAHUB_SHM_DIR", "/no/such/folder", TRUE);
  g_auto (Result) missing = run ("doctor", "--broker", "none", NULL);
  g_assert_cmpint (missing.code, ==, 4);
  assert_says (missing.out, "/no/such/folder");
  assert_says (missing.out, "damage (shm-missing)");
  assert_says (missing.out, "mount -t tmpfs");
  g_assert_cmpint (g_mkdir (open_dir, 0700), ==, 0);
  g_assert_cmpint (g_chmod (open_dir, 0777), ==, 0);
  g_setenv ("DATAHUB_SHM_DIR", open_dir, TRUE);
  g_auto (Result) open_mode = run ("doctor", "--broker", "none", NULL);
  g_assert_cmpint (open_mode.code, ==, 4);
  assert_says (open_mode.out, "chmod +t");
  g_setenv ("DATAHUB_SHM_DIR", dir, TRUE);

  /* no broker is worth a note; a runtime directory open to all is a problem */
  g_auto (Result) none = run ("doctor", NULL);
  g_assert_cmpint (none.code, ==, 0);
  assert_says (none.out, "note (broker): no broker answers");
  g_assert_cmpint (g_mkdir (g_getenv ("DATAHUB_RUNTIME_DIR"), 0700), ==, 0);
  g_chmod (g_getenv ("DATAHUB_RUNTIME_DIR"), 0777);
  g_auto (Result) mode = run ("doctor", NULL);
  g_assert_cmpint (mode.code, ==, 4);
  assert_says (mode.out, "warning (runtime-directory): ");
  assert_says (mode.out, "chmod 700");
}

static void
expect_place (const char *words, int pid)
{
  g_autofree char *sentence = g_strdup_printf ("%s %d", words, pid);
  g_auto (Result) text = run ("doctor", "--watch", "0", NULL);

  g_assert_cmpint (text.code, ==, 0);
  assert_says (text.out, sentence);
}

/* Each of the three ways to run a broker has its sentence. */
static void
test_place (void)
{
  g_autoptr (DatahubHub) hub = fixture_hub (DATAHUB_HUB_DEFAULT);

  expect_place ("the broker runs in the helper process",
      fixture_place (hub).pid);
  g_auto (Result) json = run ("doctor", "--json", "--watch", "0", NULL);
  assert_says (json.out, "\"broker-kind\": \"helper\"");
}

static void
test_place_process (void)
{
  g_setenv ("DATAHUB_BROKER_HOST", "process", TRUE);
  g_autoptr (DatahubHub) hub G_GNUC_UNUSED = fixture_hub (DATAHUB_HUB_DEFAULT);
  expect_place ("the broker runs in process", getpid ());
}

static void
test_place_standalone (void)
{
  g_autoptr (DatahubBroker) broker G_GNUC_UNUSED = fixture_broker (NULL);
  expect_place ("the broker is process", getpid ());
}

static void
test_usage (void)
{
  g_auto (Result) name = run ("doctor", "bad/name", NULL);
  g_auto (Result) extra = run ("doctor", "a", "b", NULL);
  g_auto (Result) watch = run ("doctor", "--watch", "-1", NULL);
  g_auto (Result) missing = run ("doctor", "nobody", NULL);

  g_assert_cmpint (name.code, ==, 2);
  g_assert_cmpint (extra.code, ==, 2);
  g_assert_cmpint (watch.code, ==, 2);
  assert_says (watch.err, "--watch");
  g_assert_cmpint (missing.code, ==, 3);
  g_assert_cmpstr (missing.out, ==, "");
}

static void
test_slots (void)
{
  DatahubProducer *producer = produce ("cam0");
  DatahubConsumer *consumer = consume ("cam0", FALSE);
  DatahubSpinlock *lock = NULL;
  DatahubError error;

  commit (producer, 1);
  DatahubView view = read_one (consumer);
  commit (producer, 9);
  g_assert_cmpint (datahub_consumer_open_named_spinlock (consumer, "meta",
                       &lock, &error),
      ==, DATAHUB_OK);
  g_assert_cmpint (datahub_spinlock_lock (lock, 0), ==, DATAHUB_OK);
  g_auto (Result) text = run ("inspect", "cam0", "--slots", NULL);
  g_auto (Result) result = run ("inspect", "cam0", "--slots", "--json", NULL);
  json_t *json = parse (&result);
  json_t *locks = only (json, "lock-list"), *rows = only (json, "row-list");
  json_t *slot, *held = NULL;
  size_t i;

  g_assert_cmpint (text.code, ==, 0);
  assert_says (text.out, "4 in the ring, 0 in force, 1 held");
  assert_says (text.out, "pre?view (row 0)");
  assert_says (text.out, "meta");
  g_assert_null (strchr (text.out, '\x1b'));
  json_array_foreach (json_object_get (json, "slot-list"), i, slot)
  {
    if (g_strcmp0 (text_of (slot, "state"), "held") == 0)
      held = slot;
  }
  g_assert_nonnull (held);
  g_assert_cmpint (json_integer_value (json_object_get (held, "holder")), ==,
      0);
  g_assert_cmpint (json_integer_value (json_object_get (held, "held-ns")), >,
      0);
  g_assert_cmpint (json_integer_value (json_object_get (rows, "behind")), ==,
      9);
  g_assert_true (json_is_true (json_object_get (locks, "locked")));
  assert_says (text_of (locks, "held-by"), "pre?view (row 0), thread");
  json_decref (json);
  datahub_spinlock_unlock (lock);
  datahub_spinlock_close (lock);
  datahub_consumer_end_read (consumer, &view);
  datahub_consumer_close (consumer);
  datahub_producer_close (producer);
}

/* The broker knows a producer in a container that does not share its memory. */
static void
test_not_shared (void)
{
  g_autoptr (DatahubBroker) broker G_GNUC_UNUSED = fixture_broker (NULL);
  g_autoptr (DatahubHub) hub = fixture_hub (DATAHUB_HUB_MONITOR);

  datahub_hub_register_block (hub, "cam0", UUID_A, NULL, NULL,
      DATAHUB_REGISTER_DEFAULT);
  g_autoptr (DatahubHubBlock) block =
      datahub_hub_find (hub, "cam0", 30 * SECONDS, NULL, NULL);
  g_assert_nonnull (block);
  g_auto (Result) all = run ("doctor", "--json", NULL);
  json_t *json = parse (&all);
  json_t *note = only (json_object_get (json, "environment"), "problems");
  g_assert_cmpint (all.code, ==, 0);
  g_assert_cmpstr (text_of (note, "name"), ==, "not-shared");
  g_assert_cmpstr (text_of (note, "severity"), ==, "note");
  assert_says (text_of (note, "message"), "knows a producer of the block cam0");
  assert_says (text_of (note, "message"), g_getenv ("DATAHUB_SHM_DIR"));
  assert_says (text_of (note, "advice"), "see one shared memory directory");
  json_decref (json);
  const char *const commands[] = { "doctor", "inspect" };
  for (guint i = 0; i < G_N_ELEMENTS (commands); i++) {
    g_auto (Result) one = run (commands[i], "cam0", NULL);
    g_assert_cmpint (one.code, ==, 3);
    assert_says (one.err, "knows a producer of the block cam0");
    assert_says (one.err, "see one shared memory directory");
    g_auto (Result) other = run (commands[i], "cam1", NULL);
    g_assert_cmpint (other.code, ==, 3);
    assert_says (other.err, "To see the names: datahub list");
  }
}

static void
add_tests (void)
{
  fixture_add ("/doctor/healthy", test_healthy);
  fixture_add ("/doctor/noted-errors", test_noted_errors);
  fixture_add ("/doctor/damage", test_damage);
  fixture_add ("/doctor/dead", test_dead);
  fixture_add ("/doctor/repair", test_repair);
  fixture_add ("/doctor/release", test_release);
  fixture_add ("/doctor/stopped", test_stopped);
  fixture_add ("/doctor/environment", test_environment);
  fixture_add ("/doctor/not-shared", test_not_shared);
  fixture_add ("/doctor/place", test_place);
  fixture_add ("/doctor/place-process", test_place_process);
  fixture_add ("/doctor/place-standalone", test_place_standalone);
  fixture_add ("/doctor/usage", test_usage);
  fixture_add ("/doctor/slots", test_slots);
}

int
main (int argc, char **argv)
{
  cli_init ();
  fixture_add_role ("abandon", abandon);
  fixture_add_role ("hold", hold);
  return fixture_main (&argc, &argv, add_tests);
}
