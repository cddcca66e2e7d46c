/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Resources that the system can refuse. Any thread. */
#ifndef DATAHUB_RESOURCES_H
#define DATAHUB_RESOURCES_H

#include <datahub/types.h>

DATAHUB_BEGIN_DECLS

/* Opens @descriptors descriptors and starts @threads threads, if a few more
 * descriptors are free, and gives them back. A program should call it before it calls a library
 * that ends the process if the system refuses them (GLib and libzmq do). The
 * answer holds for the moment: other threads can take the resources afterwards.
 * Takes some microseconds for each. Fails with SYSTEM; the message names the
 * limit. */
DATAHUB_API DatahubResult datahub_resources_try (uint32_t descriptors,
    uint32_t threads, DatahubError *error);

DATAHUB_END_DECLS

#endif /* DATAHUB_RESOURCES_H */
