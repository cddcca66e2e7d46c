/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Bytes that make no sense, for what reads them. */
#ifndef TESTS_GST_MUTATE_H
#define TESTS_GST_MUTATE_H

#include <glib.h>

#define MUTATIONS 20000

/* GStreamer's parsers complain about nonsense in the log, up to criticals about
 * structures inside of structures. Mistakes of ours show as a crash. */
void mutate_allow_criticals (void);
/* Changes up to @most of the bytes, one at least. */
void mutate_bytes (GRand *random, guint8 *bytes, gsize size, gint most);

#endif /* TESTS_GST_MUTATE_H */
