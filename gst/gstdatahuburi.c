/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A URI contains a channel name, and sets properties of the element by their
 * names. The channel name is used as it is written: it is case-sensitive, but
 * host names of URIs are not, so GstUri must not parse it as a host.
 * Tests: gst-properties, gst-switch */
#include "gstdatahuburi.h"

#include <datahub/block.h>
#include <string.h>

#define SCHEME "datahub://"

static gboolean refuse (GError **error, GstURIError code, const gchar *format,
    ...) G_GNUC_PRINTF (3, 4);

static gboolean
refuse (GError **error, GstURIError code, const gchar *format, ...)
{
  va_list args;
  va_start (args, format);
  g_propagate_error (error,
      g_error_new_valist (GST_URI_ERROR, code, format, args));
  va_end (args);
  return FALSE;
}

/* Finds only properties that the element itself defines, without paths of
 * files: a URI can come from a playlist, so it must not set files or properties
 * of GstObject. */
static GParamSpec *
find_property (GstElement *element, const gchar *name)
{
  GParamSpec *spec =
      g_object_class_find_property (G_OBJECT_GET_CLASS (element), name);
  if (!spec || spec->owner_type != G_OBJECT_TYPE (element)
      || !(spec->flags & G_PARAM_WRITABLE) || g_str_equal (name, "datablock")
      || g_str_has_prefix (name, "curve-"))
    return NULL;
  return spec;
}

/* A property and its new value. */
typedef struct
{
  GParamSpec *spec;
  GValue value;
} Change;

static void
change_clear (gpointer data)
{
  g_value_unset (&((Change *) data)->value);
}

/* Whether the property can be changed now: most need READY. */
static gboolean
is_mutable (GstElement *element, const GParamSpec *spec, GError **error)
{
  const GParamFlags later =
      GST_PARAM_MUTABLE_PAUSED | GST_PARAM_MUTABLE_PLAYING;
  if (GST_STATE (element) <= GST_STATE_READY || (spec->flags & later))
    return TRUE;
  return refuse (error, GST_URI_ERROR_BAD_STATE,
      "\"%s\" cannot be changed while the element is running.", spec->name);
}

/* Adds the change to @changes. The value must be one that the property takes as it
 * is: GObject would only log that it does not, and take another. */
static gboolean
read_one (GstElement *element, const gchar *name, const gchar *text,
    GArray *changes, GError **error)
{
  Change change = { .spec = find_property (element, name) };
  if (!change.spec)
    return refuse (error, GST_URI_ERROR_BAD_REFERENCE,
        "\"%s\" is not a property of %s that a URI can set.", name,
        G_OBJECT_TYPE_NAME (element));
  if (!is_mutable (element, change.spec, error))
    return FALSE;
  g_value_init (&change.value, change.spec->value_type);
  if (!gst_value_deserialize_with_pspec (&change.value, text, change.spec)
      || g_param_value_validate (change.spec, &change.value)) {
    g_value_unset (&change.value);
    return refuse (error, GST_URI_ERROR_BAD_REFERENCE,
        "\"%s\" is not a valid value of \"%s\"; gst-inspect-1.0 has its range.",
        text, name);
  }
  g_array_append_val (changes, change);
  return TRUE;
}

static gboolean
read_query (GstElement *element, const gchar *query, GArray *changes,
    GError **error)
{
  g_auto (GStrv) parts = g_strsplit (query, "&", -1);
  for (gchar **part = parts; *part; part++) {
    gchar *equals = strchr (*part, '=');
    g_autofree gchar *value = NULL;
    if (!**part)
      continue;
    if (equals)
      *equals = '\0';
    value = equals ? g_uri_unescape_string (equals + 1, NULL) : NULL;
    if (!value)
      return refuse (error, GST_URI_ERROR_BAD_URI,
          "\"%s\" in the URI has no value.", *part);
    if (!read_one (element, *part, value, changes, error))
      return FALSE;
  }
  return TRUE;
}

/* Returns: (nullable): the channel name in @uri; sets @query to what follows it */
static gchar *
read_name (const gchar *uri, const gchar **query, GError **error)
{
  g_autofree gchar *name = NULL;
  DatahubError why = { 0 };
  if (!uri || g_ascii_strncasecmp (uri, SCHEME, strlen (SCHEME)) != 0) {
    refuse (error, GST_URI_ERROR_UNSUPPORTED_PROTOCOL,
        "The URI does not start with %s.", SCHEME);
    return NULL;
  }
  uri += strlen (SCHEME);
  *query = strchr (uri, '?');
  name = *query ? g_strndup (uri, (gsize) (*query - uri)) : g_strdup (uri);
  if (g_str_has_suffix (name, "/"))
    name[strlen (name) - 1] = '\0';
  if (datahub_channel_is_valid (name, &why))
    return g_steal_pointer (&name);
  refuse (error, GST_URI_ERROR_BAD_URI, "%s", why.message);
  return NULL;
}

/* Applies @uri as a whole, or fails if any part of it is not valid now. */
static gboolean
set_uri (GstURIHandler *handler, const gchar *uri, GError **error)
{
  GObject *object = G_OBJECT (handler);
  GstElement *element = GST_ELEMENT (handler);
  g_autoptr (GArray) changes = g_array_new (FALSE, FALSE, sizeof (Change));
  g_autofree gchar *name = NULL;
  const gchar *query = NULL;
  GParamSpec *datablock =
      g_object_class_find_property (G_OBJECT_GET_CLASS (object), "datablock");
  g_array_set_clear_func (changes, change_clear);
  name = read_name (uri, &query, error);
  if (!name || !is_mutable (element, datablock, error)
      || (query && !read_query (element, query + 1, changes, error)))
    return FALSE;
  for (guint i = 0; i < changes->len; i++) {
    const Change *change = &g_array_index (changes, Change, i);
    g_object_set_property (object, change->spec->name, &change->value);
  }
  g_object_set (object, "datablock", name, NULL);
  return TRUE;
}

static gchar *
get_uri (GstURIHandler *handler)
{
  g_autofree gchar *name = NULL;
  g_object_get (handler, "datablock", &name, NULL);
  return g_strconcat (SCHEME, name, NULL);
}

static const gchar *const *
get_protocols (GType type)
{
  static const gchar *const protocols[] = { "datahub", NULL };
  return protocols;
}

static GstURIType
get_type_sink (GType type)
{
  return GST_URI_SINK;
}

static GstURIType
get_type_src (GType type)
{
  return GST_URI_SRC;
}

static void
init_handler (GstURIHandlerInterface *handler)
{
  handler->get_protocols = get_protocols;
  handler->get_uri = get_uri;
  handler->set_uri = set_uri;
}

void
gst_datahub_uri_init_sink (gpointer iface, gpointer data)
{
  init_handler (iface);
  ((GstURIHandlerInterface *) iface)->get_type = get_type_sink;
}

void
gst_datahub_uri_init_src (gpointer iface, gpointer data)
{
  init_handler (iface);
  ((GstURIHandlerInterface *) iface)->get_type = get_type_src;
}
