/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Metas about where a packet came from.
 * Tests: gst-metas, fuzz-meta */
#include "gstdatahubmetacodec.h"

#include <gst/net/net.h>
#include <gst/rtp/rtp.h>

#define SOURCES_MAX GST_RTP_SOURCE_META_MAX_CSRC_COUNT
#define ADDRESS_MAX 16 /* bytes */

static gboolean
encode_rtp_source (GstMeta *meta, GByteArray *bytes, GstDatahubLeftOut *left)
{
  GstRTPSourceMeta *source = (GstRTPSourceMeta *) meta;
  if (source->csrc_count > SOURCES_MAX)
    return FALSE;
  gst_datahub_put_u32 (bytes, source->ssrc_valid != FALSE);
  gst_datahub_put_u32 (bytes, source->ssrc_valid ? source->ssrc : 0);
  gst_datahub_put_u32 (bytes, source->csrc_count);
  for (guint i = 0; i < source->csrc_count; i++)
    gst_datahub_put_u32 (bytes, source->csrc[i]);
  return TRUE;
}

static gboolean
decode_rtp_source (GstBuffer *buffer, GstDatahubBytes in)
{
  guint32 valid, ssrc, n, csrc[SOURCES_MAX];
  if (!gst_datahub_get_u32 (&in, &valid) || !gst_datahub_get_u32 (&in, &ssrc)
      || !gst_datahub_get_u32 (&in, &n) || valid > 1 || n > SOURCES_MAX)
    return FALSE;
  for (guint i = 0; i < n; i++)
    if (!gst_datahub_get_u32 (&in, &csrc[i]))
      return FALSE;
  return gst_buffer_add_rtp_source_meta (buffer, valid ? &ssrc : NULL,
             n ? csrc : NULL, n)
      != NULL;
}

const GstDatahubMetaCodec gst_datahub_meta_rtp_source = {
  GST_DATAHUB_META_RTP_SOURCE, "GstRTPSourceMeta",
  gst_rtp_source_meta_api_get_type, encode_rtp_source, decode_rtp_source
};

/* Internet addresses only. Their bytes are in network order. */
static gboolean
encode_net_address (GstMeta *meta, GByteArray *bytes, GstDatahubLeftOut *left)
{
  GSocketAddress *address = ((GstNetAddressMeta *) meta)->addr;
  GInetSocketAddress *inet;
  GInetAddress *ip;
  gboolean six;
  if (!G_IS_INET_SOCKET_ADDRESS (address))
    return FALSE;
  inet = G_INET_SOCKET_ADDRESS (address);
  ip = g_inet_socket_address_get_address (inet);
  six = g_inet_address_get_family (ip) == G_SOCKET_FAMILY_IPV6;
  gst_datahub_put_u32 (bytes, six ? 6 : 4);
  gst_datahub_put_u32 (bytes, g_inet_socket_address_get_port (inet));
  gst_datahub_put_u32 (bytes,
      six ? g_inet_socket_address_get_flowinfo (inet) : 0);
  gst_datahub_put_u32 (bytes,
      six ? g_inet_socket_address_get_scope_id (inet) : 0);
  gst_datahub_put (bytes, g_inet_address_to_bytes (ip),
      g_inet_address_get_native_size (ip));
  return TRUE;
}

static gboolean
get_ip (GstDatahubBytes *in, guint32 version, GInetAddress **ip)
{
  gboolean six = version == 6;
  guint8 bytes[ADDRESS_MAX];
  if ((version != 4 && !six)
      || !gst_datahub_get (in, bytes, six ? ADDRESS_MAX : 4))
    return FALSE;
  *ip = g_inet_address_new_from_bytes (bytes,
      six ? G_SOCKET_FAMILY_IPV6 : G_SOCKET_FAMILY_IPV4);
  return TRUE;
}

static gboolean
decode_net_address (GstBuffer *buffer, GstDatahubBytes in)
{
  guint32 version, port, flow, scope;
  g_autoptr (GInetAddress) ip = NULL;
  g_autoptr (GSocketAddress) address = NULL;
  if (!gst_datahub_get_u32 (&in, &version) || !gst_datahub_get_u32 (&in, &port)
      || !gst_datahub_get_u32 (&in, &flow) || !gst_datahub_get_u32 (&in, &scope)
      || port > G_MAXUINT16 || !get_ip (&in, version, &ip))
    return FALSE;
  address = g_object_new (G_TYPE_INET_SOCKET_ADDRESS, "address", ip, "port",
      (guint) port, "flowinfo", version == 6 ? flow : 0, "scope-id",
      version == 6 ? scope : 0, NULL);
  gst_buffer_add_net_address_meta (buffer, address);
  return TRUE;
}

const GstDatahubMetaCodec gst_datahub_meta_net_address = {
  GST_DATAHUB_META_NET_ADDRESS, "GstNetAddressMeta",
  gst_net_address_meta_api_get_type, encode_net_address, decode_net_address
};
