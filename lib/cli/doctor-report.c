/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The doctor's report: text for people, JSON for programs. */
#include "doctor.h"

#include <string.h>

#define WIDTH 78
#define INDENT 4

static const char *const severity_words[DATAHUB_N_SEVERITIES] = {
  [DATAHUB_SEVERITY_NOTE] = "note",
  [DATAHUB_SEVERITY_WARNING] = "warning",
  [DATAHUB_SEVERITY_LEFTOVER] = "leftover",
  [DATAHUB_SEVERITY_DAMAGE] = "damage",
};

static void
problem_free (gpointer data)
{
  Problem *problem = data;

  g_free (problem->name);
  g_free (problem->message);
  g_free (problem->advice);
  g_free (problem);
}

Subject *
subject_new (const char *title)
{
  Subject *subject = g_new0 (Subject, 1);

  subject->title = g_strdup (title);
  subject->problems = g_ptr_array_new_with_free_func (problem_free);
  subject->actions = g_ptr_array_new_with_free_func (g_free);
  subject->json = json_object ();
  return subject;
}

void
subject_free (gpointer data)
{
  Subject *subject = data;

  g_free (subject->title);
  g_free (subject->summary);
  g_ptr_array_unref (subject->problems);
  g_ptr_array_unref (subject->actions);
  json_decref (subject->json);
  g_free (subject);
}

/* Takes ownership of @message and @advice. @advice may be NULL. */
void
subject_add (Subject *subject, DatahubSeverity severity, const char *name,
    gint64 for_ns, char *message, char *advice)
{
  Problem *problem = g_new0 (Problem, 1);

  problem->severity = severity;
  problem->name = g_strdup (name);
  problem->message = cli_safe (message);
  problem->advice = advice ? cli_safe (advice) : NULL;
  problem->for_ns = for_ns;
  g_ptr_array_add (subject->problems, problem);
  g_free (message);
  g_free (advice);
}

/* The number of problems that are more severe than a note. */
static guint
count_of (const Subject *subject)
{
  guint n = 0;

  for (guint i = 0; i < subject->problems->len; i++) {
    const Problem *problem = g_ptr_array_index (subject->problems, i);
    n += problem->severity > DATAHUB_SEVERITY_NOTE;
  }
  return n;
}

guint
doctor_count (GPtrArray *subjects)
{
  guint n = 0;

  for (guint i = 0; i < subjects->len; i++)
    n += count_of (g_ptr_array_index (subjects, i));
  return n;
}

/* Prints @text in lines of a terminal's width, @indent spaces before each;
 * @first before the first of them instead. */
static void
print_wrapped (const char *first, int indent, const char *text)
{
  g_auto (GStrv) words = g_strsplit (text, " ", -1);
  glong column = g_utf8_strlen (first, -1);

  g_print ("%s", first);
  for (guint i = 0; words[i]; i++) {
    glong length = g_utf8_strlen (words[i], -1);
    if (i > 0 && column + 1 + length > WIDTH) {
      g_print ("\n%*s", indent, "");
      column = indent;
    } else if (i > 0) {
      g_print (" ");
      column++;
    }
    g_print ("%s", words[i]);
    column += length;
  }
  g_print ("\n");
}

static char *
how_long (gint64 ns)
{
  double seconds = (double) ns / G_GINT64_CONSTANT (1000000000);

  if (seconds < 120)
    return g_strdup_printf ("%.1f s", seconds);
  if (seconds < 7200)
    return g_strdup_printf ("%.0f min", seconds / 60);
  return g_strdup_printf ("%.1f h", seconds / 3600);
}

static void
print_problem (const Problem *problem, gboolean with_advice)
{
  g_autofree char *since =
      problem->for_ns >= 0 ? how_long (problem->for_ns) : NULL;
  g_autofree char *head = g_strdup_printf ("%*s%s (%s%s%s): ", 2, "",
      severity_words[problem->severity], problem->name, since ? ", " : "",
      since ? since : "");

  print_wrapped (head, INDENT, problem->message);
  if (problem->advice && with_advice)
    print_wrapped ("    -> ", INDENT + 3, problem->advice);
}

static int
worst_first (gconstpointer a, gconstpointer b)
{
  const Problem *const *x = a, *const *y = b;

  return (int) (*y)->severity - (int) (*x)->severity;
}

/* Neighbours with the same advice print it once, behind the last of them. */
static gboolean
is_last_to_say_so (const GPtrArray *problems, guint i)
{
  const Problem *this = g_ptr_array_index (problems, i), *next;

  if (i + 1 == problems->len)
    return TRUE;
  next = g_ptr_array_index (problems, i + 1);
  return g_strcmp0 (this->advice, next->advice) != 0;
}

static void
print_subject (Subject *subject, gboolean repaired)
{
  guint n = count_of (subject);

  g_print ("%s%s%s: ", subject->title, subject->summary ? " - " : "",
      subject->summary ? subject->summary : "");
  if (n)
    g_print ("%u problem%s\n", n, n > 1 ? "s" : "");
  else
    g_print ("ok\n");
  g_ptr_array_sort (subject->problems, worst_first);
  for (guint i = 0; i < subject->problems->len; i++)
    print_problem (g_ptr_array_index (subject->problems, i),
        is_last_to_say_so (subject->problems, i));
  for (guint i = 0; i < subject->actions->len; i++)
    print_wrapped (repaired ? "  repaired: " : "  with --repair: ", INDENT,
        g_ptr_array_index (subject->actions, i));
}

void
doctor_print (GPtrArray *subjects, gboolean repaired)
{
  guint n = doctor_count (subjects);

  for (guint i = 0; i < subjects->len; i++)
    print_subject (g_ptr_array_index (subjects, i), repaired);
  if (subjects->len == 1)
    g_print ("No blocks.\n");
  if (n)
    g_print ("\n%u problem%s.\n", n, n > 1 ? "s" : "");
  else
    g_print ("\nNo problems.\n");
}

static json_t *
problem_json (const Problem *problem)
{
  json_t *json = json_pack ("{s:s, s:s, s:s}", "severity",
      severity_words[problem->severity], "name", problem->name, "message",
      problem->message);

  if (problem->advice)
    json_object_set_new (json, "advice", json_string (problem->advice));
  if (problem->for_ns >= 0)
    json_object_set_new (json, "for-ns",
        json_integer ((json_int_t) problem->for_ns));
  return json;
}

static json_t *
subject_json (Subject *subject)
{
  json_t *problems = json_array (), *actions = json_array ();
  json_t *json = json_copy (subject->json);

  g_ptr_array_sort (subject->problems, worst_first);
  for (guint i = 0; i < subject->problems->len; i++)
    json_array_append_new (problems,
        problem_json (g_ptr_array_index (subject->problems, i)));
  for (guint i = 0; i < subject->actions->len; i++)
    json_array_append_new (actions,
        json_string (g_ptr_array_index (subject->actions, i)));
  json_object_set_new (json, "problems", problems);
  json_object_set_new (json, "actions", actions);
  return json;
}

/* The first of @subjects is the environment, the others are blocks. */
void
doctor_print_json (GPtrArray *subjects, gboolean repaired)
{
  json_t *blocks = json_array ();

  for (guint i = 1; i < subjects->len; i++)
    json_array_append_new (blocks,
        subject_json (g_ptr_array_index (subjects, i)));
  cli_print_json (json_pack ("{s:b, s:b, s:o, s:o}", "healthy",
      doctor_count (subjects) == 0, "repaired", repaired, "environment",
      subject_json (g_ptr_array_index (subjects, 0)), "blocks", blocks));
}
