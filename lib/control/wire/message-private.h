/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Messages between hub and broker: strict JSON objects; docs/protocol.md has
 * them field by field. Encoding and decoding only. */
#ifndef DATAHUB_MESSAGE_PRIVATE_H
#define DATAHUB_MESSAGE_PRIVATE_H

#include <gio/gio.h>
#include <jansson.h>
#include <datahub/ticket.h>
#include <datahub/types.h>

#define PROTOCOL_VERSION 1
#define MESSAGE_MAX (64 * 1024) /* bytes of one message */
#define MESSAGE_DEPTH 8 /* of nested objects and arrays */
#define CAPS_MAX 8192
#define LABEL_MAX 128 /* program, host, topic, consumer, reason */
#define PATTERN_MAX DATAHUB_CHANNEL_MAX
#define TOKEN_TEXT 32 /* hexadecimal digits of epoch and instance */

typedef char Token[TOKEN_TEXT + 1];

G_DEFINE_AUTOPTR_CLEANUP_FUNC (json_t, json_decref)

json_t *message_parse (const void *data, gsize size, GError **error);
json_t *message_error (const GError *reason);
GError *message_to_error (json_t *message);

const char *message_string (json_t *message, const char *field, gsize max,
    gboolean required, GError **error);
char *message_clean (const char *text);
gboolean message_integer (json_t *message, const char *field, gint64 min,
    gint64 max, gint64 *value, GError **error);
gboolean message_u64 (json_t *message, const char *field, guint64 *value,
    GError **error);
const char *message_name (json_t *message, GError **error);
const char *message_uuid (json_t *message, GError **error);
const char *message_token (json_t *message, const char *field, GError **error);
gboolean message_secret (json_t *message, guint8 secret[DATAHUB_SECRET_SIZE],
    gboolean *present, GError **error);
gboolean message_ticket (json_t *message, guint8 ticket[DATAHUB_TICKET_SIZE],
    gboolean *present, GError **error);
void message_set_ticket (json_t *message,
    const guint8 ticket[DATAHUB_TICKET_SIZE]);
void message_set_secret (json_t *message,
    const guint8 secret[DATAHUB_SECRET_SIZE]);
void message_set_u64 (json_t *message, const char *field, guint64 value);
void message_wipe_secret (json_t *message);
void token_new (Token token);

gboolean pattern_is_valid (const char *pattern);
gboolean pattern_matches (const char *pattern, const char *name);

#endif /* DATAHUB_MESSAGE_PRIVATE_H */
