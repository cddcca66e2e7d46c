/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A URI contains a channel name, and sets properties of the element by their
 * names. The channel name is used as it is written: it is case-sensitive, but
 * host names of URIs are not, so GstUri must not parse it as a host.
 * Tests: gst-properties */
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

static gboolean
apply_one (GstElement *element, const gchar *name, const gchar *text,
    GError **error)
{
  GParamSpec *spec = find_property (element, name);
  g_auto (GValue) value = G_VALUE_INIT;
  if (!spec)
    return refuse (error, GST_URI_ERROR_BAD_REFERENCE,
        "\"%s\" is not a property of %s that a URI can set.", name,
        G_OBJECT_TYPE_NAME (element));
  g_value_init (&value, spec->value_type);
  if (!gst_value_deserialize_with_pspec (&value, text, spec))
    return refuse (error, GST_URI_ERROR_BAD_REFERENCE,
        "\"%s\" is not a valid value of \"%s\".", text, name);
  g_object_set_property (G_OBJECT (element), name, &value);
  return TRUE;
}

static gboolean
apply_query (GstElement *element, const gchar *query, GError **error)
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
    if (!apply_one (element, *part, value, error))
      return FALSE;
  }
  return TRUE;
}

/* Applies @uri. Fails if any part of it is unknown. */
static gboolean
set_uri (GstURIHandler *handler, const gchar *uri, GError **error)
{
  GstElement *element = GST_ELEMENT (handler);
  g_autofree gchar *name = NULL;
  const gchar *query;
  DatahubError why = { 0 };
  if (GST_STATE (element) > GST_STATE_READY)
    return refuse (error, GST_URI_ERROR_BAD_STATE,
        "The URI cannot be changed while the element is running.");
  if (!uri || g_ascii_strncasecmp (uri, SCHEME, strlen (SCHEME)) != 0)
    return refuse (error, GST_URI_ERROR_UNSUPPORTED_PROTOCOL,
        "The URI does not start with %s.", SCHEME);
  uri += strlen (SCHEME);
  query = strchr (uri, '?');
  name = query ? g_strndup (uri, (gsize) (query - uri)) : g_strdup (uri);
  if (g_str_has_suffix (name, "/"))
    name[strlen (name) - 1] = '\0';
  if (!datahub_channel_is_valid (name, &why))
    return refuse (error, GST_URI_ERROR_BAD_URI, "%s", why.message);
  if (query && !apply_query (element, query + 1, error))
    return FALSE;
  g_object_set (element, "datablock", name, NULL);
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
