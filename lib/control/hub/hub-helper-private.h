/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The start of the helper process; see hub-helper.c. */
#ifndef DATAHUB_HUB_HELPER_PRIVATE_H
#define DATAHUB_HUB_HELPER_PRIVATE_H

#include <glib.h>

gboolean hub_helper_is_wanted (void);
gboolean hub_helper_start (const char *directory, int lock, int log,
    GError **error);

#endif /* DATAHUB_HUB_HELPER_PRIVATE_H */
