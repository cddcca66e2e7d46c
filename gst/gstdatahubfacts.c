/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whether there is a block is evidence of the kernel: its entry and the lock of its
 * producer. The broker adds the program, and caps of strict blocks without a question
 * to their producer. All texts are those of another process.
 *
 * Tests: gst-devices, gst-devices-follow, gst-devices-hostile */
#include "gstdatahubfacts.h"
#include "gstdatahubformat.h"
#include "gstdatahubtextguard.h"

#include <string.h>

#define PROGRAM_MAX 64

/* Controls would act on a terminal. */
static gchar *
clean_program (const gchar *text)
{
  g_autofree gchar *valid = g_utf8_make_valid (text, -1);
  GString *clean = g_string_new (NULL);
  glong n = 0;
  for (const gchar *at = valid; *at && n < PROGRAM_MAX;
       at = g_utf8_next_char (at), n++) {
    gunichar c = g_utf8_get_char (at);
    g_string_append_unichar (clean, g_unichar_isprint (c) ? c : '?');
  }
  return g_string_free (clean, FALSE);
}

static GstCaps *
decode (const gchar *text)
{
  return gst_datahub_format_decode_caps (text, strlen (text) + 1);
}

/* The media type is all that is certain of a text that was cut. */
static GstCaps *
decode_cut (const gchar *text, DatahubHubBlock *known)
{
  g_autoptr (GstCaps) caps =
      known ? decode (datahub_hub_block_get_caps (known)) : NULL;
  gsize n = strcspn (text, ",( ");
  g_autofree gchar *media = g_strndup (text, n);
  g_autoptr (GstCaps) bare = text[n] && gst_datahub_textguard_is_shallow (text)
      ? decode (media)
      : NULL;
  if (caps && bare
      && gst_structure_has_name (gst_caps_get_structure (caps, 0), media))
    return g_steal_pointer (&caps);
  return g_steal_pointer (&bare);
}

static gboolean
is_other_kernel (const gchar *boot_id)
{
  static gsize read_once;
  static gchar own[DATAHUB_UUID_TEXT];
  if (g_once_init_enter (&read_once)) {
    g_autofree gchar *text = NULL;
    if (g_file_get_contents ("/proc/sys/kernel/random/boot_id", &text, NULL,
            NULL)) {
      g_auto (GStrv) parts = g_strsplit (g_strstrip (text), "-", -1);
      g_autofree gchar *joined = g_strjoinv (NULL, parts);
      g_strlcpy (own, joined, sizeof own);
    }
    g_once_init_leave (&read_once, 1);
  }
  return *boot_id && *own && !g_str_equal (boot_id, own);
}

/* The caps of the memory itself. Returns FALSE if no consumer can read it. */
static gboolean
inspect (GstDatahubFacts *facts, DatahubHubBlock *known)
{
  g_autofree DatahubBlockInfo *info = g_new0 (DatahubBlockInfo, 1);
  DatahubResult result = datahub_block_inspect (facts->name, info, NULL);
  if (result != DATAHUB_OK)
    return facts->strict && result != DATAHUB_ERROR_CORRUPT
        && result != DATAHUB_ERROR_VERSION;
  if (!g_str_equal (info->uuid, facts->uuid))
    return FALSE; /* it was replaced just now */
  facts->remote = is_other_kernel (info->boot_id);
  if (!*info->caps)
    return TRUE;
  gst_caps_unref (facts->caps);
  facts->caps = strlen (info->caps) == sizeof info->caps - 1
      ? decode_cut (info->caps, known)
      : decode (info->caps);
  return facts->caps != NULL;
}

/* Without a question to the producer, which may be stopped. */
static gboolean
take_registered (GstDatahubFacts *facts, DatahubHubBlock *known)
{
  GstCaps *caps = known ? decode (datahub_hub_block_get_caps (known)) : NULL;
  if (!caps)
    return FALSE;
  gst_caps_unref (facts->caps);
  facts->caps = caps;
  return TRUE;
}

/**
 * gst_datahub_facts_read:
 * @glance: the block behind @name, with a living producer
 * @name: its name
 * @known: (nullable): what the broker knows of that name
 * @budget: for strict blocks that the broker does not know
 *
 * Returns: (transfer full) (nullable): the facts, or %NULL if no consumer of this
 *   process can read the block
 */
GstDatahubFacts *
gst_datahub_facts_read (const DatahubBlockGlance *glance, const gchar *name,
    DatahubHubBlock *known, const GstDatahubFactsBudget *budget)
{
  g_autoptr (GstDatahubFacts) facts = g_new0 (GstDatahubFacts, 1);
  gboolean readable = TRUE;
  g_strlcpy (facts->name, name, sizeof facts->name);
  g_strlcpy (facts->uuid, glance->uuid, sizeof facts->uuid);
  facts->pid = glance->producer_pid;
  facts->strict = glance->strict;
  facts->caps = gst_caps_new_any ();
  if (known && !g_str_equal (datahub_hub_block_get_uuid (known), glance->uuid))
    known = NULL;
  if (glance->foreign && !known)
    return NULL; /* only a broker could introduce */
  if (known && datahub_hub_block_get_pid (known) == glance->producer_pid)
    facts->program = clean_program (datahub_hub_block_get_program (known));
  if (!glance->strict)
    readable = inspect (facts, known);
  else if (!take_registered (facts, known)
      && g_get_monotonic_time () < budget->end)
    readable = inspect (facts, known);
  return readable ? g_steal_pointer (&facts) : NULL;
}

void
gst_datahub_facts_free (GstDatahubFacts *facts)
{
  gst_clear_caps (&facts->caps);
  g_free (facts->program);
  g_free (facts);
}

gboolean
gst_datahub_facts_is_same_run (const GstDatahubFacts *facts, const gchar *uuid,
    gint pid)
{
  return facts->pid == pid && g_str_equal (facts->uuid, uuid);
}

/* The names of both are the same. */
gboolean
gst_datahub_facts_equal (const GstDatahubFacts *a, const GstDatahubFacts *b)
{
  return gst_datahub_facts_is_same_run (a, b->uuid, b->pid)
      && a->strict == b->strict && a->remote == b->remote
      && g_strcmp0 (a->program, b->program) == 0
      && gst_caps_is_equal (a->caps, b->caps);
}

/**
 * gst_datahub_facts_group_of:
 * @name: the name of a block
 *
 * Returns: (transfer full) (nullable): what is before its last dot, if there is text
 *   on both sides of it
 */
gchar *
gst_datahub_facts_group_of (const gchar *name)
{
  const gchar *dot = strrchr (name, '.');
  return dot && dot > name && dot[1] ? g_strndup (name, (gsize) (dot - name))
                                     : NULL;
}
