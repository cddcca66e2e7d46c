/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The common settings of both elements, their connection to the broker, and the
 * codes and texts of their errors.
 * Tests: gst-broker, gst-strict, gst-refusals */
#include "gstdatahubclient.h"
#include "gstdatahubsettings.h"

/* The log of each element, initialised by its class. Here, so that the parts of an
 * element do not depend on the element. */
GST_DEBUG_CATEGORY (gst_datahub_sink_debug);
GST_DEBUG_CATEGORY (gst_datahub_src_debug);

#define DEFAULT_DATABLOCK "default"
#define NAME_BLURB                                                             \
  "Name of the channel: a letter or digit, then up to 63 letters, digits, "    \
  "'.', '_' or '-'"
#define SECURITY_CONTEXT "datahub.security"

void
gst_datahub_client_init (GstDatahubClient *client)
{
  const gchar *broker = g_getenv ("DATAHUB_BROKER");
  *client = (GstDatahubClient){ .datablock = g_strdup (DEFAULT_DATABLOCK),
    .broker = g_strdup (broker && *broker ? broker : "auto") };
  gst_datahub_outbox_init (&client->outbox);
}

void
gst_datahub_client_clear (GstDatahubClient *client)
{
  gst_datahub_client_stop (client);
  g_clear_pointer (&client->datablock, g_free);
  g_clear_pointer (&client->broker, g_free);
  g_clear_pointer (&client->curve_server_key, g_free);
  g_clear_pointer (&client->curve_key_file, g_free);
  g_clear_pointer (&client->security, gst_structure_free);
  gst_datahub_outbox_clear (&client->outbox);
}

/**
 * gst_datahub_client_install_properties:
 * @klass: the class of an element
 * @datablock: GST_PARAM_MUTABLE_...: in which state the name can be changed
 */
void
gst_datahub_client_install_properties (GObjectClass *klass,
    GParamFlags datablock)
{
  const GParamFlags any = G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS;
  const GParamFlags flags = any | GST_PARAM_MUTABLE_READY;
  g_object_class_install_property (klass, GST_DATAHUB_PROP_DATABLOCK,
      g_param_spec_string ("datablock", "DataBlock",
          datablock & GST_PARAM_MUTABLE_PLAYING ? NAME_BLURB
              ". A running source goes over to the new name"
                                                : NAME_BLURB,
          DEFAULT_DATABLOCK, any | datablock));
  g_object_class_install_property (klass, GST_DATAHUB_PROP_BROKER,
      g_param_spec_string ("broker", "Broker",
          "auto (the user's broker, hosted by one of its processes), none, or "
          "a ZeroMQ endpoint (ipc://... or tcp://...); the environment "
          "variable DATAHUB_BROKER sets the default",
          "auto", flags));
  g_object_class_install_property (klass, GST_DATAHUB_PROP_CURVE_SERVER_KEY,
      g_param_spec_string ("curve-server-key", "CURVE server key",
          "Path of the file with the broker's public key (none = the one in "
          "the runtime directory)",
          NULL, flags));
  g_object_class_install_property (klass, GST_DATAHUB_PROP_CURVE_KEY_FILE,
      g_param_spec_string ("curve-key-file", "CURVE key file",
          "Path of the file with this client's key pair (none = the user's own "
          "in the runtime directory)",
          NULL, flags));
}

/**
 * gst_datahub_client_may_set:
 * @element: the element
 * @client: its state
 * @spec: a property of the element's own class
 * @value: the value to be set
 *
 * A setting that a running element does not use must not read back as if it did.
 * Posts a warning if it is refused. Any thread.
 *
 * Returns: whether the property can be set now
 */
gboolean
gst_datahub_client_may_set (GstElement *element, GstDatahubClient *client,
    const GParamSpec *spec, const GValue *value)
{
  const GParamFlags later =
      GST_PARAM_MUTABLE_PAUSED | GST_PARAM_MUTABLE_PLAYING;
  DatahubError error = { 0 };
  if (!g_atomic_int_get (&client->running))
    return TRUE;
  if (!(spec->flags & later))
    g_snprintf (error.message, sizeof error.message,
        "It can be changed in NULL and READY only.");
  else if (spec->param_id != GST_DATAHUB_PROP_DATABLOCK
      || datahub_channel_is_valid (g_value_get_string (value), &error))
    return TRUE;
  GST_ELEMENT_WARNING (element, RESOURCE, SETTINGS,
      ("%s keeps its value. %s", spec->name, error.message),
      ("the element runs"));
  return FALSE;
}

#define SETTING(id, field)                                                     \
  GST_DATAHUB_SETTING (GST_DATAHUB_PROP_##id, GstDatahubClient, field,         \
      G_TYPE_STRING)

static const GstDatahubSetting table[] = {
  SETTING (DATABLOCK, datablock),
  SETTING (BROKER, broker),
  SETTING (CURVE_SERVER_KEY, curve_server_key),
  SETTING (CURVE_KEY_FILE, curve_key_file),
  { 0 },
};

/* Returns FALSE where @id is not a common property. */
gboolean
gst_datahub_client_set_property (GstElement *element, GstDatahubClient *client,
    guint id, const GValue *value)
{
  return gst_datahub_settings_set (element, client, table, id, value);
}

/* Returns FALSE where @id is not a common property. */
gboolean
gst_datahub_client_get_property (GstElement *element, GstDatahubClient *client,
    guint id, GValue *value)
{
  return gst_datahub_settings_get (element, client, table, id, value);
}

/**
 * gst_datahub_client_set_context:
 * @element: the element
 * @client: its settings
 * @context: (nullable): any context
 *
 * Stores the contents of a "datahub.security" context: the strings
 * "server-key-file" and "key-file". The properties take precedence. Any thread.
 */
void
gst_datahub_client_set_context (GstElement *element, GstDatahubClient *client,
    GstContext *context)
{
  if (!context || !gst_context_has_context_type (context, SECURITY_CONTEXT))
    return;
  GST_OBJECT_LOCK (element);
  g_clear_pointer (&client->security, gst_structure_free);
  client->security = gst_structure_copy (gst_context_get_structure (context));
  GST_OBJECT_UNLOCK (element);
}

typedef struct
{
  gchar *broker, *server_key, *key_file;
} Connection;

static void
connection_clear (Connection *connection)
{
  g_free (connection->broker);
  g_free (connection->server_key);
  g_free (connection->key_file);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Connection, connection_clear)

static gchar *
choose (const gchar *property, const GstStructure *context, const gchar *field)
{
  if (property && *property)
    return g_strdup (property);
  return context ? g_strdup (gst_structure_get_string (context, field)) : NULL;
}

static void
get_connection (GstElement *element, GstDatahubClient *client,
    Connection *connection)
{
  GST_OBJECT_LOCK (element);
  connection->broker =
      g_strdup (client->broker && *client->broker ? client->broker : "auto");
  connection->server_key =
      choose (client->curve_server_key, client->security, "server-key-file");
  connection->key_file =
      choose (client->curve_key_file, client->security, "key-file");
  GST_OBJECT_UNLOCK (element);
}

/* The application may know keys: it answers in this call, or not at all. */
static void
ask_for_keys (GstElement *element, GstDatahubClient *client)
{
  gboolean known;
  GST_OBJECT_LOCK (element);
  known =
      client->security || client->curve_server_key || client->curve_key_file;
  GST_OBJECT_UNLOCK (element);
  if (!known)
    gst_element_post_message (element,
        gst_message_new_need_context (GST_OBJECT_CAST (element),
            SECURITY_CONTEXT));
}

static gint
code_of (const GError *error)
{
  if (g_error_matches (error, DATAHUB_HUB_ERROR, DATAHUB_HUB_ERROR_SETTINGS))
    return GST_RESOURCE_ERROR_SETTINGS;
  if (g_error_matches (error, DATAHUB_HUB_ERROR, DATAHUB_HUB_ERROR_LIMIT))
    return GST_RESOURCE_ERROR_FAILED;
  return GST_RESOURCE_ERROR_NOT_AUTHORIZED;
}

/* Data flows without a broker, too. So it is only an error if the user set an
 * endpoint that cannot be used. */
static gboolean
connect_hub (GstElement *element, GstDatahubClient *client)
{
  g_auto (Connection) to = { 0 };
  g_autoptr (GError) error = NULL;
  gboolean named;
  get_connection (element, client, &to);
  if (g_str_equal (to.broker, "none"))
    return TRUE;
  ask_for_keys (element, client);
  connection_clear (&to);
  get_connection (element, client, &to);
  named = !g_str_equal (to.broker, "auto") || to.server_key || to.key_file;
  client->hub =
      datahub_hub_get_shared (to.broker, to.server_key, to.key_file, &error);
  if (client->hub)
    return TRUE;
  if (!named) {
    gst_element_message_full (element, GST_MESSAGE_WARNING, GST_RESOURCE_ERROR,
        code_of (error),
        g_strdup_printf ("The stream has no broker; on this machine it can "
                         "still be read by name: %s",
            error ? error->message : "unknown reason"),
        g_strdup_printf ("broker=%s", to.broker), __FILE__, GST_FUNCTION,
        __LINE__);
    return TRUE;
  }
  gst_element_message_full (element, GST_MESSAGE_ERROR, GST_RESOURCE_ERROR,
      code_of (error),
      g_strdup (error ? error->message : "The broker cannot be used."),
      g_strdup_printf ("broker=%s", to.broker), __FILE__, GST_FUNCTION,
      __LINE__);
  return FALSE;
}

/**
 * gst_datahub_client_start:
 * @element: the element
 * @client: its settings
 *
 * Checks the name and connects to the broker; posts errors. Does not block.
 * Called in start.
 *
 * Returns: whether the element can start
 */
gboolean
gst_datahub_client_start (GstElement *element, GstDatahubClient *client)
{
  DatahubError error = { 0 };
  GST_OBJECT_LOCK (element);
  g_free (client->channel);
  client->channel = g_strdup (client->datablock ? client->datablock : "");
  GST_OBJECT_UNLOCK (element);
  if (!datahub_channel_is_valid (client->channel, &error)) {
    gst_datahub_client_post_error (element, &error, "checking the name");
    return FALSE;
  }
  if (!connect_hub (element, client))
    return FALSE;
  if (client->hub)
    client->news = gst_datahub_broker_news_new (element, &client->outbox,
        client->hub, client->channel);
  g_atomic_int_set (&client->running, TRUE);
  return TRUE;
}

/* The element runs, and its name was changed. Streaming thread. */
void
gst_datahub_client_rename (GstElement *element, GstDatahubClient *client)
{
  GST_OBJECT_LOCK (element);
  g_free (client->channel);
  client->channel = g_strdup (client->datablock);
  GST_OBJECT_UNLOCK (element);
}

void
gst_datahub_client_stop (GstDatahubClient *client)
{
  g_atomic_int_set (&client->running, FALSE);
  g_clear_pointer (&client->news, gst_datahub_broker_news_free);
  g_clear_object (&client->hub);
  g_clear_pointer (&client->channel, g_free);
}

typedef struct
{
  DatahubResult result;
  gboolean stream; /* domain STREAM rather than RESOURCE */
  gint code;
} ErrorCode;

static const ErrorCode error_codes[] = {
  { DATAHUB_ERROR_NAME, FALSE, GST_RESOURCE_ERROR_SETTINGS },
  { DATAHUB_ERROR_INVALID, FALSE, GST_RESOURCE_ERROR_SETTINGS },
  { DATAHUB_ERROR_NOT_FOUND, FALSE, GST_RESOURCE_ERROR_NOT_FOUND },
  { DATAHUB_ERROR_BUSY, FALSE, GST_RESOURCE_ERROR_BUSY },
  { DATAHUB_ERROR_DENIED, FALSE, GST_RESOURCE_ERROR_NOT_AUTHORIZED },
  { DATAHUB_ERROR_NO_SPACE, FALSE, GST_RESOURCE_ERROR_NO_SPACE_LEFT },
  { DATAHUB_ERROR_TOO_BIG, FALSE, GST_RESOURCE_ERROR_NO_SPACE_LEFT },
  { DATAHUB_ERROR_FULL, FALSE, GST_RESOURCE_ERROR_BUSY },
  { DATAHUB_ERROR_VERSION, TRUE, GST_STREAM_ERROR_FORMAT },
  { DATAHUB_ERROR_CORRUPT, TRUE, GST_STREAM_ERROR_FORMAT },
  { DATAHUB_ERROR_CHECKSUM, TRUE, GST_STREAM_ERROR_FORMAT },
};

/**
 * gst_datahub_client_post:
 * @element: the element
 * @type: %GST_MESSAGE_ERROR or %GST_MESSAGE_WARNING
 * @error: why something failed
 * @doing: the failed operation, for the debug text
 *
 * Posts one message: the library's sentence for a person, and the rest as
 * detail. Any thread, no lock held.
 */
void
gst_datahub_client_post (GstElement *element, GstMessageType type,
    const DatahubError *error, const gchar *doing)
{
  GQuark domain = GST_RESOURCE_ERROR;
  gint code = GST_RESOURCE_ERROR_FAILED;
  const gchar *reason = error->sys_errno ? g_strerror (error->sys_errno) : "";
  for (guint i = 0; i < G_N_ELEMENTS (error_codes); i++)
    if (error_codes[i].result == error->code) {
      domain = error_codes[i].stream ? GST_STREAM_ERROR : GST_RESOURCE_ERROR;
      code = error_codes[i].code;
    }
  gst_element_message_full (element, type, domain, code,
      g_strdup (*error->message ? error->message : "The DataBlock failed."),
      g_strdup_printf ("while %s: %s%s%s", doing,
          datahub_result_name (error->code), *reason ? ", " : "", reason),
      __FILE__, GST_FUNCTION, __LINE__);
}

void
gst_datahub_client_post_error (GstElement *element, const DatahubError *error,
    const gchar *doing)
{
  gst_datahub_client_post (element, GST_MESSAGE_ERROR, error, doing);
}
