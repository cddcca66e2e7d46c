/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A timer that is in step with those of other processes; see even-source.c. */
#ifndef DATAHUB_EVEN_SOURCE_PRIVATE_H
#define DATAHUB_EVEN_SOURCE_PRIVATE_H

#include <glib.h>

GSource *wire_even_source_new (guint ms);

#endif /* DATAHUB_EVEN_SOURCE_PRIVATE_H */
