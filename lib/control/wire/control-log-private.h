/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Include first: the log domain of hub and broker. No secret is ever logged. Of
 * keys only the public one appears. */
#ifndef DATAHUB_CONTROL_LOG_PRIVATE_H
#define DATAHUB_CONTROL_LOG_PRIVATE_H

#define G_LOG_DOMAIN "datahub"

#include <glib.h>

/* One structured line: @event is a stable word, the rest a sentence. */
#define control_log(level, event, ...)                                         \
  g_log_structured (G_LOG_DOMAIN, level, "DATAHUB_EVENT", event, "MESSAGE",    \
      __VA_ARGS__)

#endif /* DATAHUB_CONTROL_LOG_PRIVATE_H */
