/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A datahubmerge with scripts as inputs and a text as output. */
#ifndef TESTS_GST_MERGING_H
#define TESTS_GST_MERGING_H

#include <gst/check/gstcheck.h>

#define MERGING_MAX 64

typedef struct _Merging Merging;

/* Makes the items of an input, one after the other; NULL ends it. */
typedef GstMiniObject *(*MergingMake) (gpointer data);

typedef struct
{
  Merging *merging;
  guint number;
  GstPad *pad;
  GThread *thread;
  MergingMake make;
  gpointer data;
  guint64 next; /* OFFSET of the next buffer that the output gets from here */
} MergingInput;

struct _Merging
{
  GstElement *merge;
  GstPad *out;
  MergingInput inputs[MERGING_MAX];
  guint n;

  GMutex lock;
  GCond changed;
  GString *log; /* what was pushed; NULL: only counted */
  gint64 last; /* running time of the last buffer */
  guint64 buffers, unordered, wrong;
  gboolean ended;
  gboolean live; /* the answer of the inputs to a latency query */
};

/* @numbers of the pads, ended by -1. It is in READY. */
void merging_init (Merging *merging, const gint *numbers);
void merging_clear (Merging *merging);
void merging_play (Merging *merging);

/* Runs until all inputs ended, and returns what was pushed. In a script:
 *   c=NAME       caps application/x-NAME
 *   s=BASE       a segment with this base; s=BASE/START with this start
 *   PTS, d=DTS/PTS, -   a buffer with these times, or none
 *   g=TIME       a gap of 1 ms
 * All times are milliseconds. EOS is at the end. The text has the same words, with
 * @NUMBER of the input behind a buffer, ! behind one with DISCONT, and "eos". */
gchar *merging_run (Merging *merging, const gchar *const *scripts);
/* Begins a thread that pushes what @make makes. */
void merging_start (MergingInput *input, MergingMake make, gpointer data);
void merging_join (Merging *merging);
/* Pushes the words of @script in this thread, without EOS. */
GstFlowReturn merging_push (MergingInput *input, const gchar *script);
/* Waits until the output has this text. */
void merging_expect (Merging *merging, const gchar *text);
guint64 merging_stat (Merging *merging, const gchar *field);

#endif /* TESTS_GST_MERGING_H */
