/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Two sources are merged by the uuid of the block: the names in shared memory, which
 * need no broker, and what a broker announces. A block is there while the kernel shows a
 * living producer. inotify reports a new entry at once; a death sends no event, so the
 * locks of known blocks are looked at four times a second.
 *
 * A producer that starts again adopts its block, or makes another one of that name. So
 * a block is lost only if the name has had no producer for a while, and a new one before
 * that is a change.
 *
 * One thread looks, or the caller of gst_datahub_directory_look() before that thread
 * runs. It owns the entries and calls the function, without a lock.
 * Tests: gst-devices, gst-devices-follow, gst-devices-hostile */
#include "gstdatahubdirectory.h"
#include "gstdatahubcatalogue.h"

#include <string.h>

GST_DEBUG_CATEGORY (gst_datahub_directory_debug);
#define GST_CAT_DEFAULT gst_datahub_directory_debug

#define GONE_US (300 * G_TIME_SPAN_MILLISECOND)
/* Between two looks at the locks. */
#define LOOK_US (250 * G_TIME_SPAN_MILLISECOND)
/* Between two looks at the caps of a block of which no news came. */
#define REFRESH_US G_TIME_SPAN_SECOND
/* Many changes come together. */
#define PAUSE_US (10 * G_TIME_SPAN_MILLISECOND)
/* A producer writes its caps, and registers, just after the name appears. */
#define INCOMPLETE_US (100 * G_TIME_SPAN_MILLISECOND)
/* All questions of one scan to producers of strict blocks. */
#define QUESTIONS_US (100 * G_TIME_SPAN_MILLISECOND)
#define MAX_ENTRIES 4096

typedef struct
{
  gchar uuid[DATAHUB_UUID_TEXT]; /* of the last living producer */
  gint pid;
  gboolean unreadable; /* its block, when it was read last */
  GstDatahubFacts *facts; /* owned; as reported; NULL: not reported */
  /* Monotonic times; 0: none. */
  gint64 gone_since, incomplete_since, read_again;
} Entry;

struct _GstDatahubDirectory
{
  GstDatahubDirectoryFunc func;
  gpointer user_data;
  gchar *group; /* owned; NULL: all */
  GstDatahubCatalogue *catalogue; /* owned */
  GHashTable *entries; /* of Entry, by name */
  DatahubWatch *watch; /* owned; NULL: none yet, for want of descriptors */

  GThread *thread;
  GMutex lock; /* guards `stopping`, and `watch` for other threads */
  GCond stop;
  gboolean stopping;
};

/* One look at all blocks. */
typedef struct
{
  GstDatahubDirectory *directory;
  gint64 now, next;
  GstDatahubFactsBudget budget;
} Scan;

static void
entry_free (gpointer data)
{
  Entry *entry = data;
  g_clear_pointer (&entry->facts, gst_datahub_facts_free);
  g_free (entry);
}

/* ---- one block ---- */

static void
look_until (Scan *scan, gint64 time)
{
  scan->next = MIN (scan->next, time);
}

static void
emit (Scan *scan, GstDatahubDirectoryEvent event, const GstDatahubFacts *facts)
{
  static const gchar *const words[] = { "found", "changed", "lost" };
  GST_DEBUG ("%s %s: process %d, block %s, caps %" GST_PTR_FORMAT, facts->name,
      words[event], facts->pid, facts->uuid, facts->caps);
  scan->directory->func (scan->directory->user_data, event, facts);
}

/* What one of the two sources does not know any more is still true. */
static void
keep_known (const GstDatahubFacts *before, GstDatahubFacts *facts)
{
  if (!before
      || !gst_datahub_facts_is_same_run (before, facts->uuid, facts->pid))
    return;
  if (gst_caps_is_any (facts->caps))
    gst_caps_replace (&facts->caps, before->caps);
  if (!facts->program)
    facts->program = g_strdup (before->program);
}

/* Takes @facts. */
static void
report (Scan *scan, Entry *entry, GstDatahubFacts *facts)
{
  GstDatahubFacts *before = entry->facts;
  entry->gone_since = entry->incomplete_since = 0;
  entry->facts = facts;
  if (!before)
    emit (scan, GST_DATAHUB_DIRECTORY_FOUND, facts);
  else if (!gst_datahub_facts_equal (before, facts))
    emit (scan, GST_DATAHUB_DIRECTORY_CHANGED, facts);
  g_clear_pointer (&before, gst_datahub_facts_free);
}

/* Whether more is to be expected soon of another producer than the reported one. */
static gboolean
is_incomplete (Scan *scan, Entry *entry, const GstDatahubFacts *facts)
{
  gboolean connected =
      gst_datahub_catalogue_is_connected (scan->directory->catalogue);
  if (entry->facts
      && gst_datahub_facts_is_same_run (entry->facts, facts->uuid, facts->pid))
    return FALSE;
  if (!gst_caps_is_any (facts->caps) && (facts->program || !connected))
    return FALSE;
  if (!entry->incomplete_since)
    entry->incomplete_since = scan->now;
  return scan->now - entry->incomplete_since < INCOMPLETE_US;
}

/* No producer, or a block that cannot be read. */
static void
miss (Scan *scan, Entry *entry)
{
  if (!entry->gone_since)
    entry->gone_since = scan->now;
  if (entry->facts && scan->now - entry->gone_since < GONE_US) {
    look_until (scan, entry->gone_since + GONE_US);
    return;
  }
  if (entry->facts)
    emit (scan, GST_DATAHUB_DIRECTORY_LOST, entry->facts);
  g_clear_pointer (&entry->facts, gst_datahub_facts_free);
}

static void
read_facts (Scan *scan, const gchar *name, Entry *entry,
    const DatahubBlockGlance *glance, DatahubHubBlock *known)
{
  GstDatahubFacts *facts =
      gst_datahub_facts_read (glance, name, known, &scan->budget);
  g_strlcpy (entry->uuid, glance->uuid, sizeof entry->uuid);
  entry->pid = glance->producer_pid;
  entry->read_again = scan->now + REFRESH_US;
  entry->unreadable = !facts;
  if (!facts) {
    miss (scan, entry);
    return;
  }
  keep_known (entry->facts, facts);
  if (!is_incomplete (scan, entry, facts)) {
    report (scan, entry, facts);
    return;
  }
  gst_datahub_facts_free (facts);
  entry->read_again = scan->now + PAUSE_US;
  look_until (scan, entry->read_again);
}

static gboolean
is_known (const Entry *entry, const DatahubBlockGlance *glance)
{
  return entry->pid == glance->producer_pid
      && g_str_equal (entry->uuid, glance->uuid);
}

static void
meet (Scan *scan, const gchar *name, Entry *entry,
    const DatahubBlockGlance *glance)
{
  gboolean news;
  DatahubHubBlock *known =
      gst_datahub_catalogue_get (scan->directory->catalogue, name, &news);
  if (news || !is_known (entry, glance) || scan->now >= entry->read_again)
    read_facts (scan, name, entry, glance, known);
  else if (entry->unreadable)
    miss (scan, entry);
  else
    entry->gone_since = 0; /* for an instant another process had its lock */
  g_clear_pointer (&known, datahub_hub_block_unref);
}

static Entry *
add_entry (GstDatahubDirectory *self, const gchar *name)
{
  Entry *entry;
  if (g_hash_table_size (self->entries) >= MAX_ENTRIES)
    return NULL;
  entry = g_new0 (Entry, 1);
  g_hash_table_insert (self->entries, g_strdup (name), entry);
  return entry;
}

static void
look_at (Scan *scan, const gchar *name)
{
  GstDatahubDirectory *self = scan->directory;
  Entry *entry = g_hash_table_lookup (self->entries, name);
  DatahubBlockGlance glance;
  if (datahub_block_glance (name, &glance, NULL) == DATAHUB_OK
      && glance.producer_alive) {
    if (entry || (entry = add_entry (self, name)))
      meet (scan, name, entry, &glance);
    return;
  }
  if (!entry)
    return;
  miss (scan, entry);
  if (!entry->facts)
    g_hash_table_remove (self->entries, name);
}

/* ---- all blocks ---- */

static void
add_name (const char *channel, void *names)
{
  g_hash_table_add (names, g_strdup (channel));
}

static void
add_known_names (GstDatahubDirectory *self, GHashTable *names)
{
  GHashTableIter iter;
  gpointer name;
  g_hash_table_iter_init (&iter, self->entries);
  while (g_hash_table_iter_next (&iter, &name, NULL))
    g_hash_table_add (names, g_strdup (name));
  gst_datahub_catalogue_add_names (self->catalogue, names);
}

static gboolean
is_wanted (const GstDatahubDirectory *self, const gchar *name)
{
  g_autofree gchar *group =
      self->group ? gst_datahub_facts_group_of (name) : NULL;
  return !self->group || g_strcmp0 (group, self->group) == 0;
}

/* Returns: when to look again */
static gint64
look_at_all (GstDatahubDirectory *self)
{
  g_autoptr (GHashTable) names =
      g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  Scan scan = { .directory = self, .now = g_get_monotonic_time () };
  GHashTableIter iter;
  gpointer name;
  scan.next = scan.now + REFRESH_US;
  scan.budget.end = scan.now + QUESTIONS_US;
  datahub_block_list (add_name, names, NULL);
  add_known_names (self, names);
  g_hash_table_iter_init (&iter, names);
  while (g_hash_table_iter_next (&iter, &name, NULL))
    if (is_wanted (self, name))
      look_at (&scan, name);
  if (g_hash_table_size (self->entries))
    look_until (&scan, scan.now + LOOK_US);
  return scan.next;
}

/* ---- the thread ---- */

/* Returns FALSE when the thread is to end. */
static gboolean
pause_until (GstDatahubDirectory *self, gint64 time)
{
  gboolean stopping;
  g_mutex_lock (&self->lock);
  while (!self->stopping && g_cond_wait_until (&self->stop, &self->lock, time))
    ;
  stopping = self->stopping;
  g_mutex_unlock (&self->lock);
  return !stopping;
}

static void
make_watch (GstDatahubDirectory *self)
{
  DatahubWatch *watch = self->watch ? self->watch : datahub_watch_new (NULL);
  g_mutex_lock (&self->lock);
  self->watch = watch;
  g_mutex_unlock (&self->lock);
  gst_datahub_catalogue_set_watch (self->catalogue, watch);
}

static gboolean
wait_for_news (GstDatahubDirectory *self, gint64 time)
{
  gint64 left = MAX (time - g_get_monotonic_time (), 0);
  if (!self->watch)
    return pause_until (self, time);
  if (!pause_until (self, 0))
    return FALSE; /* it may have been stopped before there was a watch */
  if (datahub_watch_wait (self->watch, left * (gint64) GST_USECOND)
      == DATAHUB_INTERRUPTED)
    datahub_watch_set_interrupted (self->watch, false);
  return pause_until (self, g_get_monotonic_time () + PAUSE_US);
}

static gpointer
run (gpointer data)
{
  GstDatahubDirectory *self = data;
  gint64 next;
  do {
    make_watch (self);
    next = look_at_all (self);
  } while (wait_for_news (self, next));
  return NULL;
}

/* ---- for its users ---- */

static void
init_debug (void)
{
  static gsize once;
  if (!g_once_init_enter (&once))
    return;
  GST_DEBUG_CATEGORY_INIT (gst_datahub_directory_debug, "datahubdirectory", 0,
      "DataHub: the blocks that exist");
  g_once_init_leave (&once, 1);
}

/**
 * gst_datahub_directory_new:
 * @options: where to look; copied
 * @func: is called for each change
 * @user_data: for @func
 *
 * Does not look yet, and does not wait.
 *
 * Returns: (transfer full): a directory without entries
 */
GstDatahubDirectory *
gst_datahub_directory_new (const GstDatahubDirectoryOptions *options,
    GstDatahubDirectoryFunc func, gpointer user_data)
{
  GstDatahubDirectory *self = g_new0 (GstDatahubDirectory, 1);
  init_debug ();
  self->func = func;
  self->user_data = user_data;
  self->group = g_strdup (options->group);
  self->catalogue = gst_datahub_catalogue_new (options);
  self->entries =
      g_hash_table_new_full (g_str_hash, g_str_equal, g_free, entry_free);
  g_mutex_init (&self->lock);
  g_cond_init (&self->stop);
  return self;
}

/**
 * gst_datahub_directory_look:
 * @self: a directory that is not followed
 *
 * Reports, in this thread, the blocks that there are now. Waits for a broker for up to
 * 0.35 s, and for caps of blocks that just appeared for 0.1 s.
 */
void
gst_datahub_directory_look (GstDatahubDirectory *self)
{
  gint64 next, end;
  gst_datahub_catalogue_wait (self->catalogue);
  end = g_get_monotonic_time () + INCOMPLETE_US + 2 * PAUSE_US;
  do
    next = look_at_all (self);
  while (next < end && pause_until (self, next));
}

/**
 * gst_datahub_directory_follow:
 * @self: a directory that is not followed
 *
 * Reports changes from now on, in a thread of its own.
 */
void
gst_datahub_directory_follow (GstDatahubDirectory *self)
{
  self->thread = g_thread_try_new ("datahub-dir", run, self, NULL);
  if (!self->thread)
    GST_WARNING ("no thread can be started: changes are not reported");
}

static void
stop (GstDatahubDirectory *self)
{
  DatahubWatch *watch;
  g_mutex_lock (&self->lock);
  self->stopping = TRUE;
  watch = self->watch;
  g_cond_signal (&self->stop);
  g_mutex_unlock (&self->lock);
  if (watch)
    datahub_watch_set_interrupted (watch, true);
  g_clear_pointer (&self->thread, g_thread_join);
}

/* No call of the function runs or comes after this returns. It must not be called in
 * that function. */
void
gst_datahub_directory_free (GstDatahubDirectory *self)
{
  stop (self);
  gst_datahub_catalogue_free (self->catalogue);
  g_clear_pointer (&self->watch, datahub_watch_free);
  g_hash_table_unref (self->entries);
  g_cond_clear (&self->stop);
  g_mutex_clear (&self->lock);
  g_free (self->group);
  g_free (self);
}
