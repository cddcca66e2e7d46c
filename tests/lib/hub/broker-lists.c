/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The file of an allow-list: what is taken, and how a mistake is reported. */
#include "fixture.h"

#include "control/broker/rights-private.h"
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEY_A "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID"
#define KEY_B "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7"

/* @words: of the message, each must be in it; NULL at the end. */
static void
refuse (const char *text, const char *const *words)
{
  g_autofree char *file = fixture_file ("clients.json");
  g_autoptr (Rights) rights = rights_new ("");
  g_autoptr (GError) error = NULL;

  fixture_write (file, text, 0600);
  g_assert_false (rights_load (rights, file, &error));
  g_assert_error (error, DATAHUB_HUB_ERROR, DATAHUB_HUB_ERROR_SETTINGS);
  g_assert_false (rights_are_listed (rights));
  for (; *words; words++)
    if (!strstr (error->message, *words))
      g_error ("\"%s\" is without \"%s\"", error->message, *words);
}

#define REFUSE(text, ...)                                                      \
  refuse (text, (const char *const[]){ __VA_ARGS__, NULL })

static void
test_mistakes (void)
{
  REFUSE ("{\n\"clients\":[\n{\"key\":\"" KEY_A "\"},\n"
          "{\"name\":\"viewer\",\n\"key\":\"" KEY_B "\",\n"
          "\"consum\":[\"cam*\"]}\n]}",
      "clients.json:6:", "client 2 (\"viewer\")", "\"consum\"",
      "a client can only have");
  REFUSE ("{\"clients\":[{\"key\":\"" KEY_A "\",\n\"consume\":\"cam*\"}]}",
      "clients.json:2:", "client 1,", "\"consume\"", "list of name patterns");
  REFUSE ("{\"clients\":[{\"key\":\"" KEY_A
          "\",\n\"observe\":[\"ok\",\"a b\"]}]}",
      "clients.json:2:", "\"observe\"", "pattern 2");
  REFUSE ("{\"clients\":[{\"key\":\"" KEY_A "\"},\n\n{\"key\":\"short\"}]}",
      "clients.json:3:", "client 2", "public key");
  REFUSE ("{\"clients\":[{\"key\":\"" KEY_A "\"},\n\n{\"name\":\"b\"}]}",
      "clients.json:3:", "client 2 (\"b\")", "must have a \"key\"");
  REFUSE ("{\"clients\":[{\"key\":\"" KEY_A "\"},\n{\"key\":\"" KEY_A "\"}]}",
      "clients.json:2:", "client 2", "listed twice");
  REFUSE ("{\"clients\":[{\"name\":7,\n\"key\":\"" KEY_A "\"}]}", "client 1",
      "\"name\"", "must be a text");
  REFUSE ("{\"clients\":[{\"key\":\"" KEY_A " secret\"}]}", "client 1",
      "this is a secret key");
  REFUSE ("{\"clients\":[\n1]}", "clients.json:2:", "client 1",
      "must be an object");
  REFUSE ("{\"clients\":[{\"key\":\"" KEY_A "\"},\n5,\n\n{\"key\":\"" KEY_B
          "\"}]}",
      "clients.json:2:", "client 2", "must be an object");
  REFUSE ("{\"clients\":[\n\"a, [\",\n{\"key\":\"" KEY_B "\"}]}",
      "clients.json:2:", "client 1", "must be an object");
  REFUSE ("{\"clients\":[\n{,}]}", "clients.json:2:");
}

/* Words and names of the file that look like others, or like the end of a line. */
static void
test_places (void)
{
  REFUSE ("{\"clients\":[{\"name\":\"destroy\",\n\"key\":\"" KEY_A "\",\n"
          "\"produce\":[\"destroy\"],\n\"destroy\":{\"destroy\":[]}}]}",
      "clients.json:4:", "\"destroy\"");
  REFUSE ("{\"clients\":[{\"name\":\"a\\\"{[\\\\\",\n\"key\":\"" KEY_A "\",\n"
          "\"destroy\" :[]}]}",
      "clients.json:3:", "\"destroy\"");
  REFUSE ("{\"clients\":[{\"name\":\"\\u001b[2J\",\"key\":\"" KEY_A "\",\n"
          "\"x\\ny\":[]}]}",
      "\\033[2J", "x\\ny");
  /* an escaped word is found as its client */
  REFUSE ("{\"clients\":[\n{\"key\":\"" KEY_A "\",\n\"\\u0061\":[]}]}",
      "clients.json:2:", "\"a\"");
}

static void
test_label (void)
{
  g_autofree char *file = fixture_file ("clients.json");
  g_autoptr (Rights) rights = rights_new ("");

  fixture_write (file, "{\"clients\":[{\"key\":\"" KEY_A " public\"}]}", 0600);
  g_assert_true (rights_load (rights, file, NULL));
  g_assert_true (rights_are_listed (rights));
  g_assert_true (rights_knows (rights, KEY_A));
}

static void
refuse_file (const char *file, const char *words)
{
  g_autoptr (Rights) rights = rights_new ("");
  g_autoptr (GError) error = NULL;

  g_assert_false (rights_load (rights, file, &error));
  if (!strstr (error->message, words))
    g_error ("\"%s\" is without \"%s\"", error->message, words);
}

static void
test_files (void)
{
  g_autofree char *file = fixture_file ("clients.json");
  g_autofree char *fifo = fixture_file ("fifo.json");
  g_autofree char *big = g_strnfill (1024 * 1024 + 1, ' ');

  fixture_write (file, "{\"clients\":[]}", 0620);
  refuse_file (file, "chmod go-w");
  fixture_write (file, big, 0600);
  refuse_file (file, "at most 1 MiB");
  refuse_file (fixture_dir (), "is a directory");
  g_assert_cmpint (mkfifo (fifo, 0600), ==, 0);
  refuse_file (fifo, "not a regular file");
  g_unlink (file);
  refuse_file (file, "there is no such file");
}

/* A user that owns the file can change it at any time, whatever its mode. */
static void
test_owner (void)
{
  g_autofree char *file = fixture_file ("clients.json");

  if (geteuid () != 0) {
    g_test_skip ("giving a file away needs root");
    return;
  }
  fixture_write (file, "{\"clients\":[]}", 0600);
  g_assert_cmpint (chown (file, 12345, 12345), ==, 0);
  refuse_file (file, "belongs to user 12345");
}

typedef struct
{
  char *file, *good, *bad; /* owned */
  int end; /* atomic */
} Swap;

static gpointer
swap (gpointer data)
{
  Swap *s = data;
  g_autofree char *next = g_strconcat (s->file, ".next", NULL);

  while (!g_atomic_int_get (&s->end))
    for (int i = 0; i < 2; i++) {
      g_assert_cmpint (link (i ? s->good : s->bad, next), ==, 0);
      g_assert_cmpint (rename (next, s->file), ==, 0);
    }
  return NULL;
}

/* The file that was checked is the one that is read. */
static void
test_replaced (void)
{
  Swap s = { fixture_file ("clients.json"), fixture_file ("good.json"),
    fixture_file ("bad.json"), 0 };
  guint n_good = 0;

  fixture_write (s.good, "{\"clients\":[{\"key\":\"" KEY_A "\"}]}", 0600);
  fixture_write (s.bad, "{\"clients\":[{\"key\":\"" KEY_B "\"}]}", 0666);
  g_assert_cmpint (link (s.good, s.file), ==, 0);
  GThread *thread = g_thread_new ("swap", swap, &s);
  for (guint i = 0; i < 20000 || n_good == 0; i++) {
    g_autoptr (Rights) rights = rights_new ("");
    n_good += rights_load (rights, s.file, NULL);
    g_assert_false (rights_knows (rights, KEY_B));
  }
  g_atomic_int_set (&s.end, 1);
  g_thread_join (thread);
  g_free (s.file);
  g_free (s.good);
  g_free (s.bad);
}

static void
add_tests (void)
{
  fixture_add ("/broker/lists/mistakes", test_mistakes);
  fixture_add ("/broker/lists/places", test_places);
  fixture_add ("/broker/lists/label", test_label);
  fixture_add ("/broker/lists/files", test_files);
  fixture_add ("/broker/lists/owner", test_owner);
  fixture_add ("/broker/lists/replaced", test_replaced);
}

int
main (int argc, char **argv)
{
  return fixture_main (&argc, &argv, add_tests);
}
