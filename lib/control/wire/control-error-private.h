/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef DATAHUB_CONTROL_ERROR_PRIVATE_H
#define DATAHUB_CONTROL_ERROR_PRIVATE_H

#include <datahub/hub.h>

gboolean message_refuse (GError **error, DatahubHubError code,
    const char *format, ...) G_GNUC_PRINTF (3, 4);

#endif /* DATAHUB_CONTROL_ERROR_PRIVATE_H */
